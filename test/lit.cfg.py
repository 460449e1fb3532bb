import os
import shutil
import subprocess
import sys

import lit.util

sys.path.insert(0, os.path.join(config.flash_src_root, "test"))
import spaces  # noqa: E402

config.flash_src_root, config.flash_obj_root = spaces.without_spaces(config.flash_src_root), spaces.without_spaces(config.flash_obj_root)
config.name = "Flash"
config.test_format = spaces.ShTest(True)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.flash_obj_root, "test")


def executable(path):
    return path if path and os.access(path, os.X_OK) else None


def find_cuda_tool(name, variable):
    """The tool that the variable names, a CUDA toolkit's, or the build tree's own (scripts/test.sh)."""
    venv = os.path.join(config.flash_obj_root, "venv", "bin", name)
    return (executable(os.environ.get(variable)) or shutil.which(name) or
            executable(f"/usr/local/cuda/bin/{name}") or executable(venv))


def find_plot_python():
    """A Python that has matplotlib: the one that FLASH_PLOT_PYTHON names, this one, or the build tree's own (scripts/test.sh)."""
    for path in (os.environ.get("FLASH_PLOT_PYTHON"), sys.executable, os.path.join(config.flash_obj_root, "venv", "bin", "python")):
        if executable(path) and subprocess.run([path, "-c", "import matplotlib"], capture_output=True).returncode == 0:
            return path
    return None


def gpu_architectures():
    """Compute capabilities of the GPUs here, such as "90"; empty without a GPU or its driver."""
    try:
        query = subprocess.run(["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"],
                               capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip().replace(".", "") for line in query.stdout.split()] if query.returncode == 0 else []


config.environment["LC_ALL"] = "C.UTF-8"
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.flash_obj_root, "bin"), config.llvm_tools_dir, config.environment["PATH"]])
# Tests compile what they test; those of the cache have a directory of their own.
config.environment["FLASH_CACHE"] = "0"
for name in ("FLASH_PTXAS", "CUDA_HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# `lit -Dcpu=NAME`: what `--target=cpu` is described as (caches, registers, cores), in the place of this machine: no test finds a
# difference.
if "cpu" in lit_config.params:
    config.environment["FLASH_HOST_CPU"] = lit_config.params["cpu"]

# A test that needs the assembler or the disassembler fails without one; it is not skipped.
ptxas = find_cuda_tool("ptxas", "FLASH_PTXAS")
nvdisasm = find_cuda_tool("nvdisasm", "FLASH_NVDISASM")
if nvdisasm:
    config.environment["FLASH_NVDISASM"] = nvdisasm
config.substitutions.append(("%nvdisasm", nvdisasm or "no-nvdisasm-found-so-set-FLASH_NVDISASM"))
config.substitutions.append(("%ptxas", ptxas or "no-ptxas-found-so-set-FLASH_PTXAS"))
if ptxas:
    config.environment["FLASH_PTXAS"] = ptxas

config.substitutions.append(("%python", sys.executable))
# Tests of plots say `REQUIRES: matplotlib`. It keeps its list of fonts where it is told to.
plot_python = find_plot_python()
config.substitutions.append(("%plot_python", plot_python or "no-matplotlib-found-so-set-FLASH_PLOT_PYTHON"))
config.environment["MPLCONFIGDIR"] = os.path.join(config.test_exec_root, "matplotlib")
if plot_python:
    config.available_features.add("matplotlib")
config.substitutions.append(("%flash_src", config.flash_src_root))
config.substitutions.append(("%flash_obj", config.flash_obj_root))
config.substitutions.append(("%llvm_libs", os.path.join(os.path.dirname(config.llvm_tools_dir), "lib")))
config.substitutions.append(("%cc", config.cc))
config.substitutions.append(("%cxx", config.cxx))
# Debian's mlir-opt with our plugin in it. It is not instrumented: the sanitizer that the plugin needs is loaded before it.
plugin = os.path.join(config.flash_obj_root, "lib", "flash-plugin.so")
preload = ""
if config.sanitize:
    runtime = subprocess.check_output([config.cxx, "-print-file-name=libclang_rt.asan-x86_64.so"], text=True).strip()
    preload = f"env LD_PRELOAD={runtime} "
config.substitutions.append(
    ("%mlir-opt-with-flash",
     f"{preload}{config.llvm_tools_dir}/mlir-opt --load-dialect-plugin={plugin} --load-pass-plugin={plugin}"))

# Other locales than this one are made where there is what they are made of.
if shutil.which("localedef") and os.path.exists("/usr/share/i18n/locales/de_DE"):
    config.available_features.add("localedef")

# Features: gpu, and sm_90 and the like for what the first GPU is (`sm_80-or-newer` for any that runs sm_80 code).
architectures = gpu_architectures()
if architectures:
    config.available_features.add("gpu")
    config.available_features.add("sm_" + architectures[0])
    if int(architectures[0]) >= 80:
        config.available_features.add("sm_80-or-newer")
if not config.static_llvm:
    config.available_features.add("plugin")
if config.debug_log:
    config.available_features.add("debug-log")
if config.sanitize:
    config.available_features.add("asan")
    # LLVM is not instrumented: its containers look overrun, its arenas poisoned, and what its tables keep leaked.
    config.environment["ASAN_OPTIONS"] = "detect_container_overflow=0:allow_user_poisoning=0:detect_leaks=0"
    config.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
