# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled functions: what they take and give, how they are called, and what is inside.

A thin layer over flash-c: arrays are anything that `_arrays.describe` knows, memory is the caller's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import _arrays, _library
from ._errors import FlashError
from ._library import TYPES, Argument


class ValueInfo:
    """An argument or result: its name, its type (as MLIR writes it) and its sizes (None: known at run time)."""

    def __init__(self, info: _library.ValueInfo):
        self.name: str = info.name.decode()
        self.type: str = TYPES[info.type]
        self.shape: tuple[int | None, ...] = tuple(None if info.dims[i] < 0 else info.dims[i] for i in range(info.rank))

    def __repr__(self) -> str:
        return f"{self.name}: {'x'.join('?' if n is None else str(n) for n in self.shape) + 'x' if self.shape else ''}{self.type}"


class Arguments:
    """An array of FlashArgument, and what its pointers point to."""

    def __init__(self, values: Sequence[Any], sizes: str = ""):
        """`sizes`: no launch. "checked": sizes and strides are looked at; "asked": and integers in host memory."""
        self.array = (Argument * max(1, len(values)))()
        self.keep: list[Any] = [values]
        for slot, value in zip(self.array, values):
            self._pack(slot, value, sizes)

    def _pack(self, slot: Argument, value: Any, sizes: str) -> None:
        if isinstance(value, int):
            slot.value = value
            return
        if isinstance(value, float):
            slot.number = value
            return
        array = _arrays.describe(value)
        if sizes == "asked" and array.device is None and array.element[0] == "i" and array.pointer:
            array = _arrays.dense_copy(array)
        if isinstance(value, _arrays.Spec) and not sizes:
            raise FlashError(f"{value}: a Spec has no elements; a launch needs an array")
        slot.data = {"": array.pointer, "checked": array.pointer or 4096, "asked": None if array.device is not None else array.pointer or None}[sizes]
        slot.dims = (ctypes.c_int64 * max(1, len(array.shape)))(*array.shape)
        if array.strides is not None:
            slot.strides = (ctypes.c_int64 * max(1, len(array.strides)))(*array.strides)
        self.keep.append(array)


class Function:
    """A compiled function. Calls may be made from several threads at once."""

    def __init__(self, handle: int):
        self._library, self._handle = _library.get(), handle
        library = self._library
        self.arguments = self._describe(library.flashFunctionGetNumArguments, library.flashFunctionGetArgument)
        self.results = self._describe(library.flashFunctionGetNumResults, library.flashFunctionGetResult)
        self.on_device = bool(library.flashFunctionIsOnDevice(handle))

    def _describe(self, count: Callable, get: Callable) -> list[ValueInfo]:
        info, values = _library.ValueInfo(), []
        for i in range(count(self._handle)):
            self._check(get(self._handle, i, ctypes.byref(info)))
            values.append(ValueInfo(info))
        return values

    @staticmethod
    def _check(status: int) -> None:
        if status:
            raise _library.last_error()

    def __del__(self) -> None:
        if handle := self.__dict__.pop("_handle", None):
            self._library.flashFunctionDestroy(handle)

    def _require(self, values: Sequence[Any], infos: list[ValueInfo], what: str) -> None:
        if len(values) != len(infos):
            raise FlashError(f"{what}: got {len(values)}, expected {len(infos)} ({', '.join(map(repr, infos))})")

    def result_shapes(self, arguments: Sequence[Any]) -> list[tuple[int, ...]]:
        """Shapes of the results of a call; an error says which sizes disagree."""
        self._require(arguments, self.arguments, "arguments")
        shapes = [(ctypes.c_int64 * max(1, len(result.shape)))() for result in self.results]
        pointers = (ctypes.POINTER(ctypes.c_int64) * max(1, len(shapes)))(
            *(ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)) for shape in shapes))
        self._check(self._library.flashFunctionGetResultShapes(self._handle, Arguments(arguments, "checked").array, pointers))
        return [tuple(shape)[:len(result.shape)] for shape, result in zip(shapes, self.results)]

    def workspace_size(self, arguments: Sequence[Any]) -> int:
        """Bytes of device memory that a call with these sizes needs beside its arguments and results."""
        self._require(arguments, self.arguments, "arguments")
        size = ctypes.c_size_t()
        self._check(self._library.flashFunctionGetWorkspaceSize(self._handle, Arguments(arguments, "checked").array, ctypes.byref(size)))
        return size.value

    def prepare(self) -> None:
        """Waits for all kernels and loads them, so that the first launch is as fast as others."""
        self._check(self._library.flashFunctionPrepare(self._handle))

    def launch(self, arguments: Sequence[Any], results: Sequence[Any], stream: int = 0, workspace: Any = None) -> None:
        """Runs it on arrays and numbers; on a GPU, enqueues it on `stream`.

        Args:
            arguments: arrays (of any strides, the last dimension contiguous), ints and floats.
            results: arrays that receive the results.
            stream: a CUstream as an integer; 0 is the default stream.
            workspace: an array in device memory of at least `workspace_size` bytes, at a multiple of 256; without one
                the launch allocates what it needs in the order of the stream.
        """
        self._require(arguments, self.arguments, "arguments")
        self._require(results, self.results, "results")
        packed, outputs = Arguments(arguments), Arguments(results)
        if workspace is None:
            self._check(self._library.flashFunctionLaunch(self._handle, packed.array, outputs.array, stream))
            return
        memory = _arrays.describe(workspace)
        self._check(self._library.flashFunctionLaunchWithWorkspace(
            self._handle, packed.array, outputs.array, memory.pointer, memory.size_in_bytes, stream))

    def bind(self, arguments: Sequence[Any], results: Sequence[Any], stream: int = 0) -> Callable[[], None]:
        """A call that does the same launch each time, with nothing left to do in Python but the call of the library."""
        packed, outputs = Arguments(arguments), Arguments(results)
        launch, handle, stream_pointer = _library.raw_launch, ctypes.c_void_p(self._handle), ctypes.c_void_p(stream)
        first, second = ctypes.c_void_p(ctypes.addressof(packed.array)), ctypes.c_void_p(ctypes.addressof(outputs.array))

        def call() -> None:
            if launch(handle, first, second, stream_pointer):
                raise _library.last_error()

        # The packed arguments hold addresses only.
        call.keep = (self, packed, outputs)
        return call

    def code(self, kind: str) -> bytes:
        """Bytes of `llvm`, `ptx`, `cubin`, `plan`, `L0` to `L4` (IR), or `report` (JSON)."""
        size = ctypes.c_size_t()
        return self._text(self._library.flashFunctionGetCode(self._handle, kind.encode(), ctypes.byref(size)), size)

    def report(self) -> dict[str, Any]:
        """Target, schedules and where they came from, remarks, assembler, milliseconds of each stage; waits for the last."""
        return json.loads(self.code("report"))

    def io_report(self, arguments: Sequence[Any], form: str = "text") -> str:
        """What a call with these arguments moves (docs/IO.md), as `text` or `json`."""
        self._require(arguments, self.arguments, "arguments")
        packed, size = Arguments(arguments, "asked"), ctypes.c_size_t()
        data = self._library.flashFunctionGetIOReport(self._handle, packed.array, form.encode(), ctypes.byref(size))
        return self._text(data, size).decode()

    @staticmethod
    def _text(data: int | None, size: ctypes.c_size_t) -> bytes:
        if not data:
            raise _library.last_error()
        return ctypes.string_at(data, size.value)


@contextlib.contextmanager
def progress(what: str, patience: float = 1.0) -> Iterator[None]:
    """Says on stderr what is going on once it has taken more than a second (FLASH_PROGRESS=0: nothing)."""
    if os.environ.get("FLASH_PROGRESS") == "0":
        yield
        return
    begin, said = time.monotonic(), threading.Event()

    def say() -> None:
        said.set()
        print(f"flash_mlir: {what} (the next time it comes from the cache) ...", file=sys.stderr, flush=True)

    timer = threading.Timer(patience, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if said.is_set():
            print(f"flash_mlir: {what}: {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)


def compile_text(text: str, target: str = "auto", options: str = "", what: str = "") -> Function:
    """Compiles the only (or `entry=NAME` in `options`) function of an MLIR text.

    Raises:
        FlashError: the compiler's first diagnostic, with its place in the text.
    """
    library = _library.get()
    data = text.encode()
    with progress(what or f"compiling for {target}"):
        handle = library.flashCompile(data, len(data), target.encode(), options.encode())
    if not handle:
        raise _library.last_error()
    return Function(handle)


def load_program(path: str | os.PathLike) -> Function:
    """Loads what `flash-run --emit=program` wrote."""
    handle = _library.get().flashProgramLoad(os.fspath(path).encode())
    if not handle:
        raise _library.last_error()
    return Function(handle)
