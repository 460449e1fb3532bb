# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C library from Python, for what benchmarks do with it: compile MLIR text, launch on tensors.

    program = flash_ctypes.compile(text, target="sm_90a")
    program.launch([q, k, v], [o], stream=torch.cuda.current_stream().cuda_stream)

It is the package of python/, installed or in this tree: a compiled function is `flash_mlir.Function`. The library is found
through FLASH_LIBRARY, else as the package finds it. Neither NumPy nor PyTorch is needed.
"""

import os
import sys

try:
    import flash_mlir._function as _function
except ImportError:
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python", "src"))
    import flash_mlir._function as _function

from flash_mlir import FlashError, Function, ValueInfo, set_num_threads  # noqa: E402

compile = _function.compile_text  # noqa: A001
TYPES = _function.TYPES

__all__ = ["TYPES", "FlashError", "Function", "ValueInfo", "compile", "set_num_threads"]
