// Modules and kernels of a program in one context. Each module is loaded by
// itself: one may be launched while another is still being assembled. Private
// to the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_LOADEDPROGRAM_H
#define FLASH_LIB_RUNTIME_LOADEDPROGRAM_H

#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Plan.h"

#include <atomic>
#include <memory>
#include <optional>
#include <vector>

namespace flash::rt {

class LoadedProgram {
public:
  explicit LoadedProgram(const Program &program);

  bool has(size_t module) const { return modules[module].has_value(); }
  /// Loads a module in the current context, and finds its kernels. One thread
  /// at a time.
  Status load(const cuda::Driver &driver, size_t module,
              const std::string &image);

  /// The kernel of a step; null while its module is not loaded. Any thread may
  /// ask.
  cuda::Function getKernel(size_t step) const {
    return kernels[step].load(std::memory_order_acquire);
  }

  /// Gives up the modules without unloading them (their context is gone).
  void release();

private:
  const Program &program;
  std::vector<std::optional<cuda::LoadedModule>> modules;
  /// One for each step.
  std::unique_ptr<std::atomic<cuda::Function>[]> kernels;
};

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_LOADEDPROGRAM_H
