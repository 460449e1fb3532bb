// Modules and kernels of a program, loaded in one context. Private to the
// runtime.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_RUNTIME_LOADEDPROGRAM_H
#define FLASH_LIB_RUNTIME_LOADEDPROGRAM_H

#include "flash/Runtime/Cuda.h"
#include "flash/Runtime/Plan.h"

#include <vector>

namespace flash::rt {

struct LoadedProgram {
  /// Loads every module in the current context, and finds every kernel.
  static Result<LoadedProgram> load(const cuda::Driver &driver,
                                    const Program &program);

  std::vector<cuda::LoadedModule> modules;
  /// One for each step; null for those that are no launch.
  std::vector<cuda::Function> kernels;
};

} // namespace flash::rt

#endif // FLASH_LIB_RUNTIME_LOADEDPROGRAM_H
