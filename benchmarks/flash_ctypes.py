# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C library through ctypes: compile MLIR text, launch on tensors.

    program = flash_ctypes.compile(text, target="sm_90a")
    program.launch([q, k, v], [o], stream=torch.cuda.current_stream().cuda_stream)

Tensors are anything with `data_ptr()` and `shape` (PyTorch), or NumPy arrays on
the CPU; they must be dense. The library is found through FLASH_LIBRARY, else in
the build tree.
"""

import ctypes
import os


class FlashError(RuntimeError):
    """What the library said."""


class _ValueInfo(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("rank", ctypes.c_int32), ("dims", ctypes.POINTER(ctypes.c_int64))]


class _Argument(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dims", ctypes.POINTER(ctypes.c_int64)), ("value", ctypes.c_int64),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("number", ctypes.c_double)]


def _load():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    candidates = [os.environ.get("FLASH_LIBRARY"), os.path.join(root, "build", "lib", "libflash-c.so"),
                  os.path.join(root, "build-portable", "lib", "libflash-c.so")]
    for path in filter(None, candidates):
        if os.path.exists(path):
            library = ctypes.CDLL(path)
            break
    else:
        raise FlashError("libflash-c.so not found: build it, or set FLASH_LIBRARY")
    library.flashGetLastError.restype = ctypes.c_char_p
    library.flashCompile.restype = ctypes.c_void_p
    library.flashCompile.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_char_p]
    library.flashFunctionDestroy.argtypes = [ctypes.c_void_p]
    library.flashFunctionLaunch.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Argument), ctypes.POINTER(_Argument), ctypes.c_void_p]
    library.flashFunctionPrepare.argtypes = [ctypes.c_void_p]
    library.flashFunctionGetCode.restype = ctypes.c_void_p
    library.flashFunctionGetCode.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)]
    for name in ("flashFunctionGetNumArguments", "flashFunctionGetNumResults", "flashFunctionIsOnDevice"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("flashFunctionGetArgument", "flashFunctionGetResult"):
        getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.POINTER(_ValueInfo)]
    library.flashFunctionGetResultShapes.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Argument), ctypes.POINTER(ctypes.POINTER(ctypes.c_int64))]
    library.flashSetNumThreads.argtypes = [ctypes.c_int32]
    return library


_library = None


def _get_library():
    global _library
    if _library is None:
        _library = _load()
    return _library


def _arguments(values):
    array = (_Argument * max(1, len(values)))()
    for slot, value in zip(array, values):
        if isinstance(value, int):
            slot.value = value
            continue
        slot.data = value.data_ptr() if hasattr(value, "data_ptr") else value.ctypes.data
        slot.dims = (ctypes.c_int64 * max(1, len(value.shape)))(*value.shape)
    return array


TYPES = ("index", "f32", "f16", "bf16", "i32", "i64", "f64", "i8", "f8E4M3FN", "f8E5M2", "i1")


class ValueInfo:
    """Name, type (one of TYPES) and sizes (None: known at run time) of an argument or result."""

    def __init__(self, info):
        self.name = info.name.decode()
        self.type = TYPES[info.type]
        self.shape = tuple(None if info.dims[i] < 0 else info.dims[i] for i in range(info.rank))


class Function:
    """A compiled function."""

    def __init__(self, handle):
        self._library, self._handle = _get_library(), handle
        self.arguments = self._describe(self._library.flashFunctionGetNumArguments, self._library.flashFunctionGetArgument)
        self.results = self._describe(self._library.flashFunctionGetNumResults, self._library.flashFunctionGetResult)
        self.on_device = bool(self._library.flashFunctionIsOnDevice(handle))

    def _describe(self, count, get):
        info, values = _ValueInfo(), []
        for i in range(count(self._handle)):
            if get(self._handle, i, ctypes.byref(info)):
                raise FlashError(self._library.flashGetLastError().decode())
            values.append(ValueInfo(info))
        return values

    def result_shapes(self, arguments):
        """Shapes of the results of a call; an error says which sizes disagree."""
        shapes = [(ctypes.c_int64 * max(1, len(result.shape)))() for result in self.results]
        pointers = (ctypes.POINTER(ctypes.c_int64) * max(1, len(shapes)))(
            *(ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)) for shape in shapes))
        if self._library.flashFunctionGetResultShapes(self._handle, _arguments(arguments), pointers):
            raise FlashError(self._library.flashGetLastError().decode())
        return [tuple(shape)[:len(result.shape)] for shape, result in zip(shapes, self.results)]

    def __del__(self):
        self._library.flashFunctionDestroy(self._handle)

    def prepare(self):
        """Loads the code, so that the first launch is as fast as others."""
        if self._library.flashFunctionPrepare(self._handle):
            raise FlashError(self._library.flashGetLastError().decode())

    def launch(self, arguments, results, stream=0):
        """Runs it on dense tensors and integers; on a GPU, enqueues it on `stream`."""
        if self._library.flashFunctionLaunch(self._handle, _arguments(arguments), _arguments(results), ctypes.c_void_p(stream)):
            raise FlashError(self._library.flashGetLastError().decode())

    def bind(self, arguments, results, stream=0):
        """A call that does the same launch each time, with nothing left to do in Python but the call of the library."""
        packed = _arguments(arguments), _arguments(results)
        launch, handle, stream = self._library.flashFunctionLaunch, ctypes.c_void_p(self._handle), ctypes.c_void_p(stream)

        def call():
            if launch(handle, packed[0], packed[1], stream):
                raise FlashError(self._library.flashGetLastError().decode())

        # The packed arguments hold addresses only.
        call.keep = (self, arguments, results)
        return call

    def code(self, kind):
        """Bytes of `llvm`, `ptx`, `cubin`, `plan` or `report` (JSON: target, schedules, milliseconds of each stage)."""
        size = ctypes.c_size_t()
        data = self._library.flashFunctionGetCode(self._handle, kind.encode(), ctypes.byref(size))
        if not data:
            raise FlashError(self._library.flashGetLastError().decode())
        return ctypes.string_at(data, size.value)


def set_num_threads(count):
    """Threads of the CPU target; 0 restores the default."""
    _get_library().flashSetNumThreads(count)


def compile(text, target="auto", options=""):
    """Compiles the only (or `entry=NAME` in `options`) function of an MLIR text."""
    library = _get_library()
    data = text.encode()
    handle = library.flashCompile(data, len(data), target.encode(), options.encode())
    if not handle:
        raise FlashError(library.flashGetLastError().decode())
    return Function(handle)
