// Here a plan meets the code that was compiled for it: what does not fit is
// said when it is loaded, and not found by a kernel that reads stray
// parameters.
//
//===----------------------------------------------------------------------===//

#include "LoadedProgram.h"

using namespace flash::rt;
using namespace flash::rt::cuda;

/// Compares the plan's parameters with the kernel's own, as far as the driver
/// can tell (sizes from 12.4, their number from 13.2): a launch with too few
/// would read stray memory. Asking for one too many would tell on any driver,
/// but as an error of its API, which sanitizers report.
static Status checkParams(const Driver &driver, const Launch &launch,
                          Function function) {
  size_t planned = launch.params.size(), count = planned;
  auto wrongCount = [&](size_t count) {
    return Status::error(
        "the kernel '" + launch.kernel + "' has " + std::to_string(count) +
        " parameters, but the launch plan " + std::to_string(planned));
  };
  if (driver.funcGetParamCount &&
      driver.funcGetParamCount(function, &count) == 0 && count != planned)
    return wrongCount(count);
  if (!driver.funcGetParamInfo)
    return Status::success();
  for (size_t i = 0; i < planned; ++i) {
    size_t ours = paramSize(launch.params[i]), offset, size;
    if (driver.funcGetParamInfo(function, i, &offset, &size) != 0)
      return wrongCount(i);
    if (size != ours)
      return Status::error(
          "parameter " + std::to_string(i) + " of the kernel '" +
          launch.kernel + "' has " + std::to_string(size) +
          " bytes, but that of the launch plan " + std::to_string(ours));
  }
  return Status::success();
}

/// Looks the kernel up, and asks for the resources that its launch needs.
static Result<Function> loadKernel(const Driver &driver,
                                   const LoadedModule &module,
                                   const Launch &launch) {
  Result<Function> found = module.function(launch.kernel);
  if (found.failed())
    return found;
  Function function = *found;
  Status status = checkParams(driver, launch, function);
  if (status.failed())
    return status;
  // More than 48 KB must be asked for.
  if (launch.dynamicSharedBytes > 0) {
    std::string what =
        "asking for " + std::to_string(launch.dynamicSharedBytes) +
        " bytes of dynamic shared memory for '" + launch.kernel + "'";
    status = driver.check(
        driver.funcSetAttribute(function, kMaxDynamicSharedSizeBytes,
                                static_cast<int>(launch.dynamicSharedBytes)),
        what, "cuFuncSetAttribute");
    if (status.failed()) {
      Result<int> device = currentDevice(driver);
      int most = 0;
      if (device.ok() &&
          driver.deviceGetAttribute(&most, kMaxSharedMemoryPerBlockOptin,
                                    *device) == 0)
        return Status::error(status.message() + " [a block has at most " +
                             std::to_string(most) + " on this device]");
      return status;
    }
  }
  // More than 8 blocks in a cluster too.
  if (launch.cluster[0] * launch.cluster[1] * launch.cluster[2] > 8)
    status = driver.check(
        driver.funcSetAttribute(function, kNonPortableClusterSizeAllowed, 1),
        "asking for a large cluster for '" + launch.kernel + "'",
        "cuFuncSetAttribute");
  if (status.failed())
    return status;
  return function;
}

LoadedProgram::LoadedProgram(const Program &program)
    : program(program), modules(program.modules.size()),
      kernels(new std::atomic<Function>[program.steps.size()]()) {}

/// Kernels of the launches that are of this module; null of other steps.
static Result<std::vector<Function>> findKernels(const Driver &driver,
                                                 const Program &program,
                                                 size_t number,
                                                 const LoadedModule &module) {
  std::vector<Function> found(program.steps.size());
  for (size_t step = 0; step < found.size(); ++step) {
    const auto *launch = std::get_if<Launch>(&program.steps[step]);
    if (!launch || static_cast<size_t>(launch->module) != number)
      continue;
    Result<Function> kernel = loadKernel(driver, module, *launch);
    if (kernel.failed())
      return kernel.status();
    found[step] = *kernel;
  }
  return found;
}

Status LoadedProgram::load(const Driver &driver, size_t number,
                           const std::string &image) {
  const ModuleImage &described = program.modules[number];
  Result<LoadedModule> module =
      LoadedModule::load(driver, described.name, image);
  if (module.failed()) {
    // The usual reason: code of one target on a device of another.
    if (described.target.empty())
      return module.status();
    return Status::error(module.message() + " [code for " + described.target +
                         "]");
  }
  Result<std::vector<Function>> found =
      findKernels(driver, program, number, *module);
  if (found.failed())
    return found.status();
  modules[number].emplace(std::move(*module));
  for (size_t step = 0; step < found->size(); ++step)
    if ((*found)[step])
      kernels[step].store((*found)[step], std::memory_order_release);
  return Status::success();
}

void LoadedProgram::release() {
  for (std::optional<LoadedModule> &module : modules)
    if (module)
      module->release();
}
