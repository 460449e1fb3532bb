# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of NumPy, PyTorch, CuPy, JAX, and of whoever speaks DLPack, as the C library sees them.

Each library has an adapter: where an array lies, its shape, its strides in elements, its element type as MLIR writes
it, its device; and how to make a result beside it. No library is imported that the caller has not imported.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from ._errors import ArgumentError, FlashError

BYTES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4, "i8": 1, "i1": 1, "f8E4M3FN": 1, "f8E5M2": 1,
         "i16": 2, "u8": 1, "u16": 2, "u32": 4, "u64": 8}
# Names of element types in NumPy, PyTorch and JAX; what MLIR lacks here is converted or refused by who reads it.
ELEMENTS = {"float64": "f64", "float32": "f32", "float16": "f16", "bfloat16": "bf16", "int64": "i64", "int32": "i32", "int16": "i16",
            "int8": "i8", "bool": "i1", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
            "float8_e4m3fn": "f8E4M3FN", "float8_e5m2": "f8E5M2"}
NAMES = {element: name for name, element in ELEMENTS.items()}


class Array(NamedTuple):
    """An array as the C library sees it."""

    pointer: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None  # in elements; None: dense
    element: str
    device: int | None  # a CUDA device's number; None: the host
    keep: Any  # what keeps the memory alive

    @property
    def size_in_bytes(self) -> int:
        size = BYTES[self.element]
        for n in self.shape:
            size *= n
        return size


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of an array without gaps."""
    strides = [1]
    for n in reversed(shape[1:]):
        strides.insert(0, strides[0] * max(1, n))
    return tuple(strides[:len(shape)])


def element_of(dtype: Any) -> str:
    """`bf16` of numpy.dtype, torch.bfloat16, ml_dtypes.bfloat16, ...

    Raises:
        FlashError: a type that no kernel has.
    """
    if not getattr(dtype, "isnative", True):
        raise FlashError(f"elements of type {dtype!r} have another order of bytes than this machine's")
    name = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    if name in ELEMENTS:
        return ELEMENTS[name]
    name = getattr(dtype, "__name__", str(dtype)).rpartition(".")[2]
    if name in ELEMENTS or name in NAMES:
        return ELEMENTS.get(name, name)
    raise FlashError(f"there is no element type {dtype!r}; there are {', '.join(ELEMENTS)}")


_elements: dict[Any, str] = {}


def _element(dtype: Any) -> str:
    """The same, remembered."""
    found = _elements.get(dtype)
    if found is None:
        found = _elements[dtype] = element_of(dtype)
    return found


class NumpyAdapter:
    """Memory of the host; bf16 and 8-bit floats are ml_dtypes'."""

    name = "numpy"

    @staticmethod
    def describe(a: Any) -> Array:
        size = a.itemsize
        if any(s % size for s in a.strides):
            raise FlashError(f"strides {a.strides} in bytes are no multiples of the elements' {size}: make a contiguous copy")
        return Array(a.__array_interface__["data"][0], a.shape, tuple(s // size for s in a.strides), _element(a.dtype), None, a)

    @staticmethod
    def key(a: Any) -> tuple:
        return a.shape, a.strides, a.dtype

    @staticmethod
    def pointer(a: Any) -> int:
        return a.__array_interface__["data"][0]

    @staticmethod
    def maker(like: Any, shape: tuple[int, ...], element: str) -> Callable[[], Any]:
        import numpy
        if element in ("bf16", "f8E4M3FN", "f8E5M2"):
            import ml_dtypes
            return functools.partial(numpy.empty, shape, numpy.dtype(getattr(ml_dtypes, NAMES[element])))
        return functools.partial(numpy.empty, shape, numpy.dtype(NAMES[element]))

    @staticmethod
    def stream(device: int | None) -> int:
        return 0

    @staticmethod
    def finish(result: Any, like: Any) -> Any:
        return result


class TorchAdapter:
    """PyTorch, without importing it: tensors bring their module."""

    name = "torch"

    @staticmethod
    def describe(a: Any) -> Array:
        device = a.get_device()
        if not (a.is_cuda or a.is_cpu) or a.layout is not sys.modules["torch"].strided:
            raise FlashError(f"a tensor on {a.device} of layout {a.layout}; there are cpu and cuda, and torch.strided")
        return Array(a.data_ptr(), tuple(a.shape), a.stride(), _element(a.dtype), None if device < 0 else device, a)

    @staticmethod
    def key(a: Any) -> tuple:
        return a.shape, a.stride(), a.dtype, a.get_device()

    @staticmethod
    def pointer(a: Any) -> int:
        return a.data_ptr()

    @staticmethod
    def maker(like: Any, shape: tuple[int, ...], element: str, is_current: bool = False) -> Callable[[], Any]:
        """`is_current`: it is called only where the current device is the array's."""
        torch = sys.modules["torch"]
        dtype, strides = getattr(torch, NAMES[element]), dense_strides(shape)
        # On an H200's host: torch.empty 3.2 us, empty_strided 1.9, and 1.05 what torch.compile's own code calls, which
        # allocates on the current device.
        compiled = getattr(getattr(getattr(torch._C, "_dynamo", None), "guards", None), "_empty_strided_cuda", None)
        if compiled is not None and like.is_cuda and 0 not in shape and (is_current or torch.cuda.device_count() == 1):
            return functools.partial(compiled, shape, strides, dtype)
        return functools.partial(torch.empty_strided, shape, strides, dtype=dtype, device=like.device)

    @staticmethod
    def stream(device: int | None) -> int:
        return 0 if device is None else sys.modules["torch"]._C._cuda_getCurrentRawStream(device)

    @staticmethod
    def finish(result: Any, like: Any) -> Any:
        return result


class CupyAdapter:
    """CuPy: device memory, on its current stream."""

    name = "cupy"

    @staticmethod
    def describe(a: Any) -> Array:
        size = a.itemsize
        return Array(a.data.ptr, a.shape, tuple(s // size for s in a.strides), _element(a.dtype), a.device.id, a)

    @staticmethod
    def key(a: Any) -> tuple:
        return a.shape, a.strides, a.dtype, a.device.id

    @staticmethod
    def pointer(a: Any) -> int:
        return a.data.ptr

    @staticmethod
    def maker(like: Any, shape: tuple[int, ...], element: str) -> Callable[[], Any]:
        return functools.partial(sys.modules["cupy"].empty, shape, like.dtype if element == _element(like.dtype) else NAMES[element])

    @staticmethod
    def stream(device: int | None) -> int:
        return sys.modules["cupy"].cuda.get_current_stream().ptr

    @staticmethod
    def finish(result: Any, like: Any) -> Any:
        return result


# DLPack's DLTensor (dlpack.h, version 0 and 1 alike from its first member on).
class _DLTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32), ("ndim", ctypes.c_int32),
                ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_DL_ELEMENTS = {(0, 8): "i8", (0, 16): "i16", (0, 32): "i32", (0, 64): "i64", (1, 8): "u8", (1, 16): "u16", (1, 32): "u32", (1, 64): "u64",
                (2, 16): "f16", (2, 32): "f32", (2, 64): "f64", (4, 16): "bf16", (6, 8): "i1", (10, 8): "f8E4M3FN", (12, 8): "f8E5M2"}
_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED = 1, 2, 3, 13


class DLPackAdapter:
    """Whoever has `__dlpack__`. Results are NumPy's, and so the memory must be the host's."""

    name = "dlpack"

    @staticmethod
    def describe(a: Any) -> Array:
        capsule = a.__dlpack__()
        tensor = _DLTensor.from_address(_get_pointer(capsule, b"dltensor"))
        element = _DL_ELEMENTS.get((tensor.code, tensor.bits))
        if element is None or tensor.lanes != 1:
            raise FlashError(f"DLPack element type (code {tensor.code}, {tensor.bits} bits, {tensor.lanes} lanes) is none of a kernel's")
        if tensor.device_type not in (_CPU, _CUDA, _CUDA_HOST, _CUDA_MANAGED):
            raise FlashError(f"DLPack device type {tensor.device_type} is neither the host nor CUDA")
        shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
        strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else None
        device = None if tensor.device_type in (_CPU, _CUDA_HOST) else tensor.device_id
        return Array((tensor.data or 0) + tensor.byte_offset, shape, strides, element, device, (a, capsule))

    @classmethod
    def key(cls, a: Any) -> tuple:
        return cls.describe(a)[1:5]

    @classmethod
    def pointer(cls, a: Any) -> int:
        return cls.describe(a).pointer

    @staticmethod
    def maker(like: Any, shape: tuple[int, ...], element: str) -> Callable[[], Any]:
        return NumpyAdapter.maker(like, shape, element)

    @staticmethod
    def stream(device: int | None) -> int:
        return 0

    @staticmethod
    def finish(result: Any, like: Any) -> Any:
        return result


class JaxAdapter(DLPackAdapter):
    """JAX outside of jit: concrete arrays. The launch is on the default stream, and is waited for on a GPU."""

    name = "jax"

    @staticmethod
    def describe(a: Any) -> Array:
        a.block_until_ready()
        if _element(a.dtype) == "i1":  # older jaxlibs do not export it
            a = a.view("uint8")
            return DLPackAdapter.describe(a)._replace(element="i1")
        return DLPackAdapter.describe(a)

    @classmethod
    def key(cls, a: Any) -> tuple:
        if isinstance(a, sys.modules["jax"].core.Tracer):
            raise ArgumentError("array", "a tracer of JAX", "a concrete array: call it outside of jit, grad and vmap")
        return a.shape, a.dtype, a.device

    @staticmethod
    def maker(like: Any, shape: tuple[int, ...], element: str) -> Callable[[], Any]:
        device = next(iter(like.devices()))
        if device.platform == "cpu":
            return NumpyAdapter.maker(like, shape, element)
        jax = sys.modules["jax"]
        return lambda: jax.device_put(jax.numpy.empty(shape, NAMES[element]), device).block_until_ready()

    @staticmethod
    def finish(result: Any, like: Any) -> Any:
        if isinstance(result, sys.modules["jax"].Array):
            ctypes.CDLL("libcuda.so.1").cuStreamSynchronize(None)
            return result
        return sys.modules["jax"].numpy.asarray(result)


class PointerAdapter:
    """Objects with `data_ptr()` and `shape` alone: dense, on the host as far as anybody knows. For launches of `Function`."""

    name = "pointer"

    @staticmethod
    def describe(a: Any) -> Array:
        strides = tuple(a.stride()) if callable(getattr(a, "stride", None)) else None
        return Array(a.data_ptr(), tuple(a.shape), strides, "i8", None, a)

    key = pointer = maker = None  # attention() does not take them: they say no type


def dense_copy(array: Array) -> Array:
    """A host array as a dense one, for who reads it element by element."""
    import numpy
    size, strides = BYTES[array.element], array.strides
    if strides is None or not array.shape or 0 in array.shape:
        return array
    one = numpy.frombuffer((ctypes.c_char * size).from_address(array.pointer), f"V{size}")
    copy = numpy.ascontiguousarray(numpy.lib.stride_tricks.as_strided(one, array.shape, [s * size for s in strides]))
    return Array(copy.__array_interface__["data"][0], array.shape, None, array.element, None, copy)


class DescribedAdapter:
    """What was described already."""

    name = "described"

    @staticmethod
    def describe(a: Array) -> Array:
        return a


class Spec:
    """A shape and a type in the place of an array, for `flash_mlir.compile`: `Spec((1, 8, 4096, 128), "bfloat16")`."""

    def __init__(self, shape: Any, dtype: Any = "float32"):
        self.shape, self.dtype = tuple(int(n) for n in shape), dtype
        self.element = element_of(dtype)

    def __repr__(self) -> str:
        return f"Spec({self.shape}, {NAMES[self.element]!r})"


class SpecAdapter:
    """No memory at all."""

    name = "spec"

    @staticmethod
    def describe(a: Any) -> Array:
        return Array(0, a.shape, None, a.element, None, a)

    @staticmethod
    def key(a: Any) -> tuple:
        return a.shape, a.element

    @staticmethod
    def pointer(a: Any) -> int:
        raise ArgumentError("array", repr(a), "an array: a Spec has no elements")


_adapters: dict[type, Any] = {Spec: SpecAdapter, Array: DescribedAdapter}
_ROOTS = {"numpy": NumpyAdapter, "torch": TorchAdapter, "cupy": CupyAdapter, "jax": JaxAdapter, "jaxlib": JaxAdapter}


def adapter_of(array: Any) -> Any:
    """The adapter for an array's type; None for what is no array."""
    kind = type(array)
    found = _adapters.get(kind)
    if found is None:
        for base in kind.__mro__:
            found = _ROOTS.get(base.__module__.partition(".")[0])
            if found is NumpyAdapter and base.__name__ != "ndarray":
                found = None
            if found:
                break
        else:
            found = DLPackAdapter if hasattr(kind, "__dlpack__") else PointerAdapter if hasattr(kind, "data_ptr") else None
        if found is None:
            return None
        _adapters[kind] = found
    return found


def is_array(value: Any) -> bool:
    """Whether a value is memory that a kernel can read (NumPy's scalars are numbers)."""
    return not isinstance(value, type) and adapter_of(value) is not None and hasattr(value, "shape")


def describe(array: Any, name: str = "array") -> Array:
    """An array as the C library sees it.

    Raises:
        ArgumentError: it is none.
    """
    adapter = adapter_of(array)
    if adapter is None:
        raise ArgumentError(name, type(array).__name__, "an array of NumPy, PyTorch, CuPy or JAX, or an object with __dlpack__")
    try:
        return adapter.describe(array)
    except ArgumentError:
        raise
    except FlashError as error:
        raise ArgumentError(name, str(error), "an array that a kernel can read") from error
