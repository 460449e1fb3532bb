//===- NvJitLink.cpp - The assembler as a library -------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libnvJitLink takes PTX and gives a cubin, in this process. PyTorch and JAX
// bring it where there is no toolkit. It is opened when it is wanted; its
// functions are declared here, as nvJitLink.h has them.
//
//===----------------------------------------------------------------------===//

#include "NvJitLink.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"

#include <dlfcn.h>

#include <mutex>

using namespace mlir;
using namespace flash;

namespace {
/// nvJitLinkHandle, nvJitLinkResult (0 is success), nvJitLinkInputType.
using Handle = struct NvJitLinkHandle *;
constexpr int kInputPTX = 2;

struct Library {
  int (*create)(Handle *, uint32_t, const char **) = nullptr;
  int (*destroy)(Handle *) = nullptr;
  int (*addData)(Handle, int, const void *, size_t, const char *) = nullptr;
  int (*complete)(Handle) = nullptr;
  int (*cubinSize)(Handle, size_t *) = nullptr;
  int (*cubin)(Handle, void *) = nullptr;
  int (*errorLogSize)(Handle, size_t *) = nullptr;
  int (*errorLog)(Handle, char *) = nullptr;
  int (*infoLogSize)(Handle, size_t *) = nullptr;
  int (*infoLog)(Handle, char *) = nullptr;

  bool load(void *library) {
    bool all = true;
    auto find = [&](auto &member, const char *name) {
      member = reinterpret_cast<std::decay_t<decltype(member)>>(
          dlsym(library, name));
      all &= member != nullptr;
    };
    find(create, "nvJitLinkCreate");
    find(destroy, "nvJitLinkDestroy");
    find(addData, "nvJitLinkAddData");
    find(complete, "nvJitLinkComplete");
    find(cubinSize, "nvJitLinkGetLinkedCubinSize");
    find(cubin, "nvJitLinkGetLinkedCubin");
    find(errorLogSize, "nvJitLinkGetErrorLogSize");
    find(errorLog, "nvJitLinkGetErrorLog");
    find(infoLogSize, "nvJitLinkGetInfoLogSize");
    find(infoLog, "nvJitLinkGetInfoLog");
    return all;
  }
};
} // namespace

static constexpr const char *kNames[] = {"libnvJitLink.so.13",
                                         "libnvJitLink.so.12"};

/// The file of a library that is open; it stays open, for the path is asked for
/// at each compilation.
static std::string pathOf(void *library) {
  Dl_info info;
  void *function = library ? dlsym(library, "nvJitLinkCreate") : nullptr;
  if (!function || !dladdr(function, &info) || !info.dli_fname)
    return "";
  return info.dli_fname;
}

std::string ptx::locateNvJitLink(StringRef hint) {
  for (const char *name : kNames)
    if (std::string path = pathOf(dlopen(name, RTLD_LAZY | RTLD_NOLOAD));
        !path.empty())
      return path;
  if (!hint.empty())
    return hint.str();
  for (const char *name : kNames)
    if (std::string path = pathOf(dlopen(name, RTLD_LAZY | RTLD_LOCAL));
        !path.empty())
      return path;
  return "";
}

/// A log of the library's: its size, with a zero at the end, then its text.
static std::string readLog(Handle handle, int (*sizeOf)(Handle, size_t *),
                           int (*read)(Handle, char *)) {
  size_t size = 0;
  if (sizeOf(handle, &size) != 0 || size == 0)
    return "";
  std::string text(size, '\0');
  if (read(handle, text.data()) != 0)
    return "";
  return text.substr(0, text.find('\0'));
}

FailureOr<std::string> ptx::assembleWithNvJitLink(const std::string &path,
                                                  StringRef ptx,
                                                  StringRef target,
                                                  std::string &log,
                                                  std::string &error) {
  Library library;
  void *file = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!file || !library.load(file)) {
    const char *reason = file ? "it lacks a function" : dlerror();
    error = "nvJitLink (" + path +
            ") cannot be used: " + (reason ? reason : "unknown reason");
    return failure();
  }
  // Nothing says that the library may be called from several threads.
  static std::mutex calls;
  std::lock_guard<std::mutex> lock(calls);
  std::string arch = "-arch=" + target.str();
  SmallVector<const char *> options{arch.c_str(), "-O3", "-verbose"};
  if (hasLineInfo(ptx))
    options.push_back("-lineinfo");
  Handle handle = nullptr;
  int code = library.create(&handle, options.size(), options.data());
  llvm::scope_exit cleanUp([&] {
    if (handle)
      library.destroy(&handle);
  });
  // PTX ends with a zero, which the size counts.
  std::string text = ptx.str();
  if (code == 0)
    code = library.addData(handle, kInputPTX, text.c_str(), text.size() + 1,
                           "kernel.ptx");
  if (code == 0)
    code = library.complete(handle);
  if (handle)
    log = readLog(handle, library.infoLogSize, library.infoLog);
  size_t size = 0;
  if (code == 0)
    code = library.cubinSize(handle, &size);
  std::string cubin(size, '\0');
  if (code == 0)
    code = library.cubin(handle, cubin.data());
  if (code == 0)
    return cubin;
  std::string reason =
      handle ? readLog(handle, library.errorLogSize, library.errorLog) : "";
  error = "nvJitLink (" + path + ") failed with " + std::to_string(code) +
          (reason.empty() ? "" : ": " + StringRef(reason).trim().str());
  return failure();
}
