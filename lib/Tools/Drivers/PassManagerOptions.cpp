//===- PassManagerOptions.cpp - MLIR's options for passes -----------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MLIR's functions register the options and apply them to one manager. A
// compilation has one for each stage, so that files of a tree are put in a
// folder for each, and times stand below the stage:
//
//   --mlir-print-ir-tree-dir=ir   ir/1-L0/..., ir/2-L1/..., ...
//   --mlir-timing                 L0 { SimplifyAround, ... }, L1 { ... }, ...
//
//===----------------------------------------------------------------------===//

#include "PassManagerOptions.h"

#include "flash/Compiler/Executable.h"
#include "flash/InitAll.h"
#include "flash/Support/DebugLog.h"

#include "mlir/IR/AsmState.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace flash;
using rt::Status;

static constexpr llvm::StringLiteral kTreeOption = "mlir-print-ir-tree-dir";
static constexpr llvm::StringLiteral kLogOption = "debug-only";

namespace {

class OptionObserver : public CompileObserver {
public:
  explicit OptionObserver(bool verifyEach)
      : treeDirectory(static_cast<llvm::cl::opt<std::string> *>(
            llvm::cl::getRegisteredOptions().lookup(kTreeOption))),
        tree(*treeDirectory), verifyEach(verifyEach) {
    applyDefaultTimingManagerCLOptions(timing);
    root = timing.getRootScope();
  }

  void beginStage(llvm::StringRef name) override {
    stage = name.str();
    scope = root.nest(name);
  }
  void endStage() override { scope.stop(); }

  Status configure(PassManager &manager) override {
    if (Status status = enterFolder(); status.failed())
      return status;
    manager.enableVerifier(verifyEach);
    if (failed(applyPassManagerCLOptions(manager)))
      return Status::error("the options of pass managers (--mlir-...) "
                           "contradict each other");
    manager.enableTiming(scope);
    return Status::success();
  }

private:
  /// The folder of this stage's files: their names count its passes alone.
  Status enterFolder() {
    if (tree.empty())
      return Status::success();
    llvm::SmallString<128> path(tree);
    llvm::sys::path::append(path, std::to_string(number++) + "-" + stage);
    if (std::error_code code = llvm::sys::fs::create_directories(path))
      return Status::error("making the folder '" + path.str().str() +
                           "': " + code.message());
    treeDirectory->setValue(path.str().str());
    return Status::success();
  }

  /// The option's value, and what the command line said.
  llvm::cl::opt<std::string> *treeDirectory;
  std::string tree;
  bool verifyEach;
  std::string stage;
  unsigned number = 0;
  DefaultTimingManager timing;
  TimingScope root, scope;
};

} // namespace

PassManagerOptions::PassManagerOptions()
    : category("Options of MLIR's pass managers"),
      verifyEach("verify-each", llvm::cl::init(true),
                 llvm::cl::desc("Verify the program after each pass")) {
  registerAllPasses();
  registerPassManagerCLOptions();
  registerDefaultTimingManagerCLOptions();
  registerAsmPrinterCLOptions();
  registerDebugOnly();
  for (auto [name, option] : llvm::cl::getRegisteredOptions())
    if (name.starts_with("mlir-") || name == "verify-each" ||
        name == kLogOption)
      option->addCategory(category);
}

PassManagerOptions::~PassManagerOptions() = default;

CompileObserver *PassManagerOptions::getObserver() {
  bool given = false;
  for (auto [name, option] : llvm::cl::getRegisteredOptions()) {
    // Who looks at the cache's decisions wants it asked.
    if (name == kLogOption && isLogged("flash-cache"))
      continue;
    given |= llvm::is_contained(option->Categories, &category) &&
             option->getNumOccurrences() > 0;
  }
  if (given && !observer)
    observer = std::make_unique<OptionObserver>(verifyEach);
  return observer.get();
}
