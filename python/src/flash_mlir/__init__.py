# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention by a compiler: fused kernels for CPUs and NVIDIA GPUs, with score and mask functions in Python.

    import numpy as np, flash_mlir
    q, k, v = np.random.randn(3, 1, 8, 1024, 64).astype("float32")
    o = flash_mlir.attention(q, k, v, causal=True)
    o = flash_mlir.attention(q, k, v, score_mod=lambda s, b, h, q, kv: s - 0.1 * abs(q - kv))

`compile` shows what a call becomes at every level; `where`, `exp` and the other functions below are for score and mask
functions. The compiler's tools are on the path: `flash-opt`, `flash-run`.
"""

from __future__ import annotations

from ._arrays import Spec
from ._attention import attention, manual_seed
from ._compiled import IOReport, Program, Roofline, compile  # noqa: A004
from ._errors import ArgumentError, FlashError, TraceError
from ._function import Function, ValueInfo, load_program
from ._functions import (absolute, acos, asin, atan, atan2, ceil, clamp, cos, cosh, dot, erf, erfc, exp, exp2, expm1, floor, gelu, log, log1p, log2,
                         log10, maximum, minimum, power, relu, rsqrt, sigmoid, sign, silu, sin, sinh, softplus, sqrt, tan, tanh, trunc, where)
from ._library import set_num_threads

__version__ = "0.1.0"

__all__ = [
    "ArgumentError", "FlashError", "Function", "IOReport", "Program", "Roofline", "Spec", "TraceError", "ValueInfo", "absolute", "acos",
    "asin", "atan", "atan2", "attention", "ceil", "clamp", "compile", "cos", "cosh", "dot", "erf", "erfc", "exp", "exp2", "expm1", "floor",
    "gelu", "load_program", "log", "log10", "log1p", "log2", "manual_seed", "maximum", "minimum", "power", "relu", "rsqrt",
    "set_num_threads", "sigmoid", "sign", "silu", "sin", "sinh", "softplus", "sqrt", "tan", "tanh", "trunc", "where",
]
