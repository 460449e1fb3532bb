import os

import lit.formats

# The GoogleTest programs of unittests/: one lit test for each case.
config.name = "Flash-Unit"
config.suffixes = []
config.test_source_root = os.path.join(config.flash_obj_root, "unittests")
config.test_exec_root = config.test_source_root
config.test_format = lit.formats.GoogleTest("bin", "Tests")
config.environment["FLASH_SOURCE_DIR"] = config.flash_src_root
if "cpu" in lit_config.params:  # as ../lit.cfg.py has it
    config.environment["FLASH_HOST_CPU"] = lit_config.params["cpu"]
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if config.sanitize:
        config.environment[name] = lit_config.params.get(name, config.sanitizer_options)
