# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds and opens libflash-c.so, and says what its functions take.

The library is the one that FLASH_LIBRARY names, else that of the wheel, else the one of a build tree around this
checkout. Nothing here needs NumPy.
"""

from __future__ import annotations

import ctypes
import os
import sys

from ._errors import FlashError

PACKAGE = os.path.dirname(os.path.abspath(__file__))


class ValueInfo(ctypes.Structure):
    """FlashValueInfo of flash-c/Compiler.h."""

    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("rank", ctypes.c_int32), ("dims", ctypes.POINTER(ctypes.c_int64))]


class Argument(ctypes.Structure):
    """FlashArgument of flash-c/Runtime.h."""

    _fields_ = [("data", ctypes.c_void_p), ("dims", ctypes.POINTER(ctypes.c_int64)), ("value", ctypes.c_int64),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("number", ctypes.c_double)]


# Words of 8 bytes in an Argument, and which of them is its address.
ARGUMENT_WORDS = ctypes.sizeof(Argument) // 8
TYPES = ("index", "f32", "f16", "bf16", "i32", "i64", "f64", "i8", "f8E4M3FN", "f8E5M2", "i1", "real")


def candidates() -> list[str]:
    """Where the library may be, in order."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(PACKAGE)))
    return [path for path in (os.environ.get("FLASH_LIBRARY"), os.path.join(PACKAGE, "lib", "libflash-c.so"),
                              os.path.join(root, "build", "lib", "libflash-c.so"),
                              os.path.join(root, "build-portable", "lib", "libflash-c.so")) if path]


def find() -> str:
    """The path of the library.

    Raises:
        FlashError: there is none; says where it was looked for.
    """
    named = os.environ.get("FLASH_LIBRARY")
    if named and not os.path.exists(named):
        raise FlashError(f"FLASH_LIBRARY names {named}, which does not exist")
    for path in candidates():
        if os.path.exists(path):
            return path
    raise FlashError(f"libflash-c.so not found (looked at {', '.join(candidates())}): install the wheel, build it, or set FLASH_LIBRARY")


def _find_in_wheels(names: tuple[str, ...]) -> str | None:
    """A file of NVIDIA's wheels (nvidia-cuda-nvcc, nvidia-nvjitlink), which are never imported."""
    for folder in sys.path:
        for name in names:
            path = os.path.join(folder or ".", "nvidia", name)
            if os.path.exists(path):
                return os.path.abspath(path)
    return None


def _name_tools(library: ctypes.CDLL) -> None:
    """Tells the library of assemblers that other wheels brought."""
    wheels = {"ptxas": ("cu13/bin/ptxas", "cuda_nvcc/bin/ptxas", "cu12/bin/ptxas"),
              "nvJitLink": ("cu13/lib/libnvJitLink.so.13", "nvjitlink/lib/libnvJitLink.so.12")}
    for tool, names in wheels.items():
        if path := _find_in_wheels(names):
            library.flashSetToolPath(tool.encode(), path.encode())


def _declare(library: ctypes.CDLL) -> None:
    pointer, text, arguments, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(Argument), ctypes.POINTER(ctypes.c_size_t)
    dims = ctypes.POINTER(ctypes.POINTER(ctypes.c_int64))
    for name, result, types in (
            ("flashGetLastError", text, []), ("flashCompile", pointer, [text, ctypes.c_size_t, text, text]),
            ("flashFunctionDestroy", None, [pointer]), ("flashFunctionPrepare", ctypes.c_int, [pointer]),
            ("flashFunctionLaunch", ctypes.c_int, [pointer, arguments, arguments, pointer]),
            ("flashFunctionLaunchWithWorkspace", ctypes.c_int, [pointer, arguments, arguments, pointer, ctypes.c_size_t, pointer]),
            ("flashFunctionGetWorkspaceSize", ctypes.c_int, [pointer, arguments, size]),
            ("flashFunctionGetCode", pointer, [pointer, text, size]),
            ("flashFunctionGetIOReport", pointer, [pointer, arguments, text, size]),
            ("flashFunctionGetNumArguments", ctypes.c_int32, [pointer]), ("flashFunctionGetNumResults", ctypes.c_int32, [pointer]),
            ("flashFunctionIsOnDevice", ctypes.c_int, [pointer]),
            ("flashFunctionGetArgument", ctypes.c_int, [pointer, ctypes.c_int32, ctypes.POINTER(ValueInfo)]),
            ("flashFunctionGetResult", ctypes.c_int, [pointer, ctypes.c_int32, ctypes.POINTER(ValueInfo)]),
            ("flashFunctionGetResultShapes", ctypes.c_int, [pointer, arguments, dims]),
            ("flashProgramLoad", pointer, [text]), ("flashSetNumThreads", None, [ctypes.c_int32]),
            ("flashSetToolPath", ctypes.c_int, [text, text])):
        function = getattr(library, name)
        function.restype, function.argtypes = result, types


_library: ctypes.CDLL | None = None
# Launches as the hot path calls them: with as little conversion of arguments as ctypes does. Set when the library is opened.
raw_launch = raw_launch_with_workspace = None


def get() -> ctypes.CDLL:
    """The library, opened once a process.

    Raises:
        FlashError: there is none, or it cannot be opened.
    """
    global _library, raw_launch, raw_launch_with_workspace
    if _library is None:
        path = find()
        try:
            library = ctypes.CDLL(path)
            _declare(library)
        except (OSError, AttributeError) as error:
            raise FlashError(f"{path} cannot be used: {error}") from error
        _name_tools(library)
        raw_launch = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(
            ("flashFunctionLaunch", library))
        raw_launch_with_workspace = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
                                                     ctypes.c_void_p)(("flashFunctionLaunchWithWorkspace", library))
        _library = library
    return _library


def last_error() -> FlashError:
    """What the library said last in this thread."""
    return FlashError(get().flashGetLastError().decode(errors="replace"))


def set_num_threads(count: int) -> None:
    """Threads of the CPU target, for the process; 0 restores the default (FLASH_NUM_THREADS, else all cores)."""
    get().flashSetNumThreads(count)
