//===- Cache.cpp - Compiled functions on disk -----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// $FLASH_CACHE_DIR, else $XDG_CACHE_HOME/flash, else ~/.cache/flash;
// FLASH_CACHE=0 switches it off. It holds code that processes run: the
// directory must be this user's, and writable by nobody else. A file is written
// under another name and renamed, so that many processes see it whole or not at
// all, and has the hash of what follows in front.
//
//===----------------------------------------------------------------------===//

#include "Cache.h"

#include "flash/Runtime/ProgramFile.h"
#include "flash/Support/DebugLog.h"
#include "flash/Target/AssemblePTX.h"
#include "flash/Target/KernelAssembly.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/xxhash.h"
#include "llvm/TargetParser/Host.h"

#include <chrono>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <sys/stat.h>
#include <unistd.h>

#define DEBUG_TYPE "flash-cache"

using namespace flash;
using llvm::StringRef;
using rt::Result;

static constexpr StringRef kMagic = "FLASHCA1";

/// How much a directory holds: 512 MB, or FLASH_CACHE_MAX_MB.
static uint64_t getMaxBytes() {
  uint64_t megabytes = 512;
  if (auto given = llvm::sys::Process::GetEnv("FLASH_CACHE_MAX_MB"))
    if (StringRef(*given).trim().getAsInteger(10, megabytes) ||
        megabytes > (uint64_t(1) << 30))
      megabytes = 512;
  return megabytes << 20;
}

static std::string hashOf(StringRef bytes) {
  auto digest = llvm::SHA256::hash(llvm::arrayRefFromStringRef(bytes));
  return llvm::toHex(digest, /*LowerCase=*/true);
}

/// Of large files, to find out that they have changed: fast.
static std::string sumOf(StringRef bytes) {
  llvm::XXH128_hash_t sum =
      llvm::xxh3_128bits(llvm::arrayRefFromStringRef(bytes));
  return llvm::utohexstr(sum.high64, true, 16) +
         llvm::utohexstr(sum.low64, true, 16);
}

//===----------------------------------------------------------------------===//
// The key
//===----------------------------------------------------------------------===//

/// What tells one state of a file from another.
static std::string describeFile(StringRef path) {
  struct stat status;
  if (stat(path.str().c_str(), &status) != 0)
    return path.str() + " is missing";
  return path.str() + " " + std::to_string(status.st_size) + " " +
         std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

/// The file that holds this code: the library, or a tool.
static std::string describeLibrary() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&describeLibrary), &info) ||
      !info.dli_fname)
    return "";
  return describeFile(StringRef(info.dli_fname).contains('/')
                          ? info.dli_fname
                          : "/proc/self/exe");
}

static std::string describeDevice() {
  Result<const rt::cuda::Driver *> driver = rt::cuda::Driver::get();
  if (driver.failed())
    return "none";
  Result<rt::cuda::DeviceInfo> device = rt::cuda::deviceInfo(**driver);
  return device.failed() ? "none" : device->name + " " + device->target();
}

static std::string getDirectory() {
  using llvm::sys::Process;
  if (auto given = Process::GetEnv("FLASH_CACHE_DIR"); given && !given->empty())
    return *given;
  llvm::SmallString<128> path;
  if (auto xdg = Process::GetEnv("XDG_CACHE_HOME"); xdg && !xdg->empty())
    path = *xdg;
  else if (auto home = Process::GetEnv("HOME"); home && !home->empty())
    llvm::sys::path::append(path, *home, ".cache");
  else
    return "";
  llvm::sys::path::append(path, "flash");
  return path.str().str();
}

/// What a CPU's code depends on beside the target's text.
static std::string describeProcessor() {
  std::string text = llvm::sys::getHostCPUName().str();
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (feature.second)
      text += "," + feature.first().str();
  // Stands in for the processor where `cpu` is asked for.
  return text + " " + llvm::sys::Process::GetEnv("FLASH_HOST_CPU").value_or("");
}

/// Whether a target is a CPU: `cpu`, `cpu:NAME`, or an attribute that says so.
static bool isCPU(StringRef target) {
  if (!target.starts_with("#"))
    return target == "cpu" || target.starts_with("cpu:");
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<FlashDialect>();
  Result<TargetAttr> description = resolveTarget(&context, target);
  return description.ok() && description->isCPU();
}

std::string compiler::getCacheKey(StringRef text, StringRef entry,
                                  const CompileOptions &options) {
  auto off = llvm::sys::Process::GetEnv("FLASH_CACHE");
  // What counts, shows IR or writes it is compiled.
  if ((off && *off == "0") || options.countIO || !options.assemble ||
      options.observer || !options.lineInfo.empty() ||
      StringRef(options.passes).contains("line-info="))
    return "";
  bool cpu = isCPU(options.target);
  std::vector<std::string> parts = {"format 3",
                                    text.str(),
                                    entry.str(),
                                    options.target,
                                    options.schedule,
                                    std::to_string(options.exactSchedule),
                                    std::to_string(options.splitKV),
                                    options.passes,
                                    std::to_string(options.optLevel),
                                    describeLibrary(),
                                    cpu ? describeProcessor()
                                        : describeDevice(),
                                    cpu ? "" : describeFile(findAssembler()),
                                    options.scheduleTable};
  llvm::SmallVector<StringRef> tables;
  StringRef(options.scheduleTable).split(tables, ',', -1, false);
  for (StringRef table : tables)
    if (auto buffer = llvm::MemoryBuffer::getFile(table.trim()))
      parts.push_back((*buffer)->getBuffer().str());
  return hashOf(packStrings(parts));
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// The directory, made if it is missing; empty if it must not be used.
static std::string openDirectory(bool create) {
  std::string path = getDirectory();
  if (path.empty())
    return "";
  if (create) {
    StringRef parent = llvm::sys::path::parent_path(path);
    if (!parent.empty() && llvm::sys::fs::create_directories(parent))
      return "";
    mkdir(path.c_str(), 0700);
  }
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode) ||
      status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
    return "";
  return path;
}

static std::string pathOf(const std::string &directory, StringRef key) {
  llvm::SmallString<128> path(directory);
  llvm::sys::path::append(path, key + ".flash");
  return path.str().str();
}

namespace {
/// What this process has seen, so that it reads no file twice.
struct Memory {
  std::mutex mutex;
  std::map<std::string, std::string> entries;
  size_t bytes = 0;
  /// What will be an entry once it is assembled.
  std::map<std::string, std::weak_ptr<KernelAssembly>> assemblies;

  static constexpr size_t kMaxBytes = size_t(64) << 20;
  static Memory &get() {
    static auto *memory = new Memory;
    return *memory;
  }
  std::optional<std::string> find(StringRef key) {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = entries.find(key.str());
    if (it == entries.end())
      return std::nullopt;
    return it->second;
  }
  void add(StringRef key, StringRef value) {
    std::lock_guard<std::mutex> lock(mutex);
    if (bytes + value.size() > kMaxBytes) {
      entries.clear();
      bytes = 0;
    }
    if (value.size() <= kMaxBytes && entries.emplace(key, value).second)
      bytes += value.size();
  }
  std::shared_ptr<KernelAssembly> findAssembly(StringRef key) {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = assemblies.find(key.str());
    return it == assemblies.end() ? nullptr : it->second.lock();
  }
  void addAssembly(StringRef key,
                   const std::shared_ptr<KernelAssembly> &assembly) {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto it = assemblies.begin(); it != assemblies.end();)
      it = it->second.expired() ? assemblies.erase(it) : std::next(it);
    assemblies[key.str()] = assembly;
  }
};
} // namespace

std::optional<std::string> compiler::loadFromCache(StringRef key) {
  if (key.empty())
    return std::nullopt;
  // This process has compiled it already, and may still be assembling.
  if (std::shared_ptr<KernelAssembly> assembly =
          Memory::get().findAssembly(key))
    (void)assembly->waitForAll();
  if (std::optional<std::string> known = Memory::get().find(key))
    return known;
  std::string directory = openDirectory(/*create=*/false);
  if (directory.empty())
    return std::nullopt;
  std::string path = pathOf(directory, key);
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return std::nullopt;
  StringRef bytes = (*buffer)->getBuffer();
  constexpr size_t kSum = 32;
  if (!bytes.consume_front(kMagic) || bytes.size() < kSum ||
      bytes.take_front(kSum) != sumOf(bytes.drop_front(kSum))) {
    // Damaged: it is made anew.
    unlink(path.c_str());
    return std::nullopt;
  }
  // Used now, as far as the oldest is concerned.
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  Memory::get().add(key, bytes.drop_front(kSum));
  return bytes.drop_front(kSum).str();
}

/// Removes the oldest files until three quarters of the limit are left.
static void trim(const std::string &directory) {
  struct File {
    std::string path;
    uint64_t bytes;
    timespec used;
  };
  std::vector<File> files;
  uint64_t total = 0;
  DIR *listing = opendir(directory.c_str());
  if (!listing)
    return;
  while (dirent *entry = readdir(listing)) {
    std::string path = directory + "/" + entry->d_name;
    struct stat status;
    if (lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        !StringRef(path).contains(".flash"))
      continue;
    files.push_back({path, uint64_t(status.st_size), status.st_mtim});
    total += files.back().bytes;
  }
  closedir(listing);
  uint64_t most = getMaxBytes();
  if (total <= most)
    return;
  llvm::sort(files, [](const File &a, const File &b) {
    return std::pair(a.used.tv_sec, a.used.tv_nsec) <
           std::pair(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const File &file : files) {
    if (total <= most / 4 * 3)
      return;
    if (unlink(file.path.c_str()) == 0)
      total -= file.bytes;
  }
}

void compiler::storeInCache(StringRef key, StringRef bytes) {
  Memory::get().add(key, bytes);
  std::string directory = openDirectory(/*create=*/true);
  if (key.empty() || directory.empty())
    return;
  std::string path = pathOf(directory, key),
              temporary = path + "." + std::to_string(getpid()) + "." +
                          std::to_string(llvm::sys::Process::GetRandomNumber());
  int file =
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0)
    return;
  std::string whole = kMagic.str() + sumOf(bytes) + bytes.str();
  StringRef rest = whole;
  while (!rest.empty()) {
    ssize_t written = write(file, rest.data(), rest.size());
    if (written <= 0)
      break;
    rest = rest.drop_front(written);
  }
  bool failed = close(file) != 0 || !rest.empty();
  if (failed || rename(temporary.c_str(), path.c_str()) != 0)
    unlink(temporary.c_str());
  else
    trim(directory);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

std::string compiler::packStrings(llvm::ArrayRef<std::string> strings) {
  std::string bytes;
  for (const std::string &text : strings) {
    uint64_t size = text.size();
    bytes.append(reinterpret_cast<const char *>(&size), sizeof(size));
    bytes += text;
  }
  return bytes;
}

std::optional<std::vector<std::string>>
compiler::unpackStrings(StringRef bytes) {
  std::vector<std::string> strings;
  while (!bytes.empty()) {
    uint64_t size;
    if (bytes.size() < sizeof(size))
      return std::nullopt;
    std::memcpy(&size, bytes.data(), sizeof(size));
    bytes = bytes.drop_front(sizeof(size));
    if (size > bytes.size())
      return std::nullopt;
    strings.push_back(bytes.take_front(size).str());
    bytes = bytes.drop_front(size);
  }
  return strings;
}

//===----------------------------------------------------------------------===//
// Executables
//===----------------------------------------------------------------------===//

/// An entry: the code, and what is said of it.
static std::string packEntry(const std::string &code,
                             const std::vector<std::string> &descriptions,
                             const std::string &assemblerLog,
                             const std::string &assembler) {
  std::vector<std::string> parts = {code};
  llvm::append_range(parts, descriptions);
  parts.push_back(assemblerLog);
  parts.push_back(assembler);
  return compiler::packStrings(parts);
}

/// Stores an executable: at once, or when the last of its kernels is assembled,
/// so that an entry has all of them. If that does not happen, there is none.
static void storeExecutable(const std::string &key, Executable &executable) {
  std::vector<std::string> descriptions = {
      compiler::packStrings(executable.schedules),
      compiler::packStrings(executable.scheduleSources),
      compiler::packStrings(executable.remarks)};
  Executable::SaveFunction save = executable.getSave();
  std::shared_ptr<KernelAssembly> assembly = executable.getAssembly();
  if (!assembly) {
    if (std::optional<std::string> code = save())
      compiler::storeInCache(key, packEntry(*code, descriptions,
                                            executable.assemblerLog,
                                            executable.assembler));
    return;
  }
  Memory::get().addAssembly(key, assembly);
  assembly->whenAll([key, descriptions, save, assembly = assembly.get(),
                     assembler = executable.assembler] {
    if (std::optional<std::string> code = save())
      compiler::storeInCache(
          key, packEntry(*code, descriptions, assembly->getLog(), assembler));
  });
}

Result<std::unique_ptr<Executable>> Executable::compileCached(
    StringRef text, StringRef entry, const CompileOptions &options,
    llvm::function_ref<Result<std::unique_ptr<Executable>>()> compile) {
  auto begin = std::chrono::steady_clock::now();
  std::string key = compiler::getCacheKey(text, entry, options);
  if (std::optional<std::string> bytes = compiler::loadFromCache(key)) {
    std::optional<std::vector<std::string>> parts =
        compiler::unpackStrings(*bytes);
    std::unique_ptr<Executable> found;
    if (parts && parts->size() == 6)
      found = isCPU(options.target) ? compiler::restoreForCPU((*parts)[0])
                                    : compiler::restoreForGPU((*parts)[0]);
    LDBG() << (found ? "hit " : "damaged ") << key;
    if (found) {
      auto unpack = [&](size_t part, std::vector<std::string> &to) {
        if (auto list = compiler::unpackStrings((*parts)[part]))
          to = std::move(*list);
      };
      unpack(1, found->schedules);
      unpack(2, found->scheduleSources);
      unpack(3, found->remarks);
      found->assemblerLog = (*parts)[4];
      found->assembler = (*parts)[5];
      found->isFromCache = true;
      found->stages.push_back(
          {"cache", std::chrono::duration<double, std::milli>(
                        std::chrono::steady_clock::now() - begin)
                        .count()});
      return found;
    }
  }
  LDBG() << (key.empty() ? "not asked" : "miss " + key);
  Result<std::unique_ptr<Executable>> made = compile();
  if (made.failed() || key.empty())
    return made;
  storeExecutable(key, **made);
  return made;
}
