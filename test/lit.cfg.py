import os

import lit.formats

config.name = "Flash"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.flash_obj_root, "test")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.flash_obj_root, "bin"), config.llvm_tools_dir, config.environment["PATH"]])
config.substitutions.append(("%flash_src", config.flash_src_root))
config.substitutions.append(("%flash_obj", config.flash_obj_root))
