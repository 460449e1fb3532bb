# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls that were made before: a program with sizes, strides and types filled in, of which addresses alone are left.

A plan holds the C structures of a call. Launching it writes the addresses of arrays and results into them and calls the
library: nothing is checked, packed or looked up again. Calls from several threads each take structures of their own.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from . import _arrays, _library
from ._function import Function, compile_text
from ._library import ARGUMENT_WORDS, Argument
from ._program import Builder
from ._sizes import Options, Source

# Programs by text, target and options. Plans keep theirs alive; of others the oldest go.
_functions: dict[tuple[str, str, str], Function] = {}
_locks: dict[tuple[str, str, str], threading.Lock] = {}
MOST_FUNCTIONS = 1024


def get_function(source: Source, target: str, options: str = "") -> Function:
    """The compiled program of a text: one for all sizes, shared by all threads."""
    key = (source.text, target, options)
    found = _functions.get(key)
    if found is None:
        # Two threads that want the same compile it once.
        with _locks.setdefault(key, threading.Lock()):
            found = _functions.get(key)
            if found is None:
                while len(_functions) >= MOST_FUNCTIONS:
                    _functions.pop(next(iter(_functions)), None)
                where = "the GPU at hand" if target == "auto" else target
                found = _functions[key] = compile_text(source.text, target, options, f"compiling attention for {where}")
        _locks.pop(key, None)
    return found


class Random:
    """Seeds of dropout: each call takes the next offset."""

    def __init__(self) -> None:
        self.seed, self.offsets = 0, itertools.count()

    def set(self, seed: int) -> None:
        self.seed, self.offsets = int(seed), itertools.count()


random = Random()


class _Slot:
    """The C structures of one call."""

    __slots__ = ("arguments", "results", "words", "result_words", "first", "second", "keep")

    def __init__(self, template: Sequence[tuple[tuple[int, ...], tuple[int, ...] | None]], results: Sequence[tuple[int, ...]]):
        self.keep: list[Any] = []
        self.arguments, self.results = (Argument * max(1, len(template)))(), (Argument * max(1, len(results)))()
        for slot, (shape, strides) in itertools.chain(zip(self.arguments, template), zip(self.results, ((r, None) for r in results))):
            slot.dims = (ctypes.c_int64 * max(1, len(shape)))(*shape)
            if strides is not None:
                slot.strides = (ctypes.c_int64 * max(1, len(strides)))(*strides)
        self.words, self.result_words = memoryview(self.arguments).cast("B").cast("Q"), memoryview(self.results).cast("B").cast("Q")
        self.first, self.second = ctypes.c_void_p(ctypes.addressof(self.arguments)), ctypes.c_void_p(ctypes.addressof(self.results))


class Plan:
    """A call with everything known but addresses."""

    def __init__(self, function: Function, source: Source, arrays: Sequence[Any], device: int | None):
        adapter = _arrays.adapter_of(arrays[0])
        self.function, self.source, self.device = function, source, device
        self.adapter, self.count = adapter, len(arrays)
        # Positions of addresses in the structures, and whose they are.
        self.places = [(ARGUMENT_WORDS * i, o.array, _arrays.adapter_of(arrays[o.array])) for i, o in enumerate(source.operands) if o.array is not None]
        self.numbers = [(ARGUMENT_WORDS * i + 2, o.number) for i, o in enumerate(source.operands) if o.number]
        # A squeezed result has a dimension less than the program's.
        program = [info.shape for info in function.results]
        shapes = [(1,) * (len(p) - len(s)) + s for p, (s, _) in zip(program, source.results)]
        self.template = [(o.shape, o.strides) for o in source.operands]
        self.result_shapes = shapes
        self.make = [adapter.maker(arrays[0], shape, element) for shape, element in source.results]
        self.slots: list[_Slot] = [self.new_slot()]
        self.handle = ctypes.c_void_p(function._handle)
        self.workspace = self._workspace(arrays)
        self.run = self._bind()

    def new_slot(self) -> _Slot:
        """Structures of a call, whose addresses are not filled in."""
        return _Slot(self.template, self.result_shapes)

    def _workspace(self, arrays: Sequence[Any]) -> Callable[[], Any] | None:
        """What a call's temporaries lie in, from the memory pool of the arrays' library; also refuses what is not possible."""
        slot = self.slots[0]
        for word, array, adapter in self.places:
            slot.words[word] = adapter.pointer(arrays[array])
        size = ctypes.c_size_t()
        if _library.get().flashFunctionGetWorkspaceSize(self.handle, slot.arguments, ctypes.byref(size)):
            raise _library.last_error()
        if not size.value or self.adapter.name not in ("torch", "cupy"):
            return None
        self.workspace_bytes = size.value
        return self.adapter.maker(arrays[0], (size.value,), "i8")

    def _stream(self) -> Callable[[], int]:
        device = self.device
        if device is None:
            return lambda: 0
        if self.adapter.name == "torch":
            get = sys.modules["torch"]._C._cuda_getCurrentRawStream
            return lambda: get(device)
        return lambda: self.adapter.stream(device)

    def _bind(self) -> Callable[[Sequence[Any]], Any]:
        """The launch, with all that it needs at hand."""
        slots, template, shapes = self.slots, self.template, self.result_shapes
        places, numbers = self.places, self.numbers
        makers = [(ARGUMENT_WORDS * i, make) for i, make in enumerate(self.make)]
        finish, start = self.adapter.finish, self._bind_launch()
        address = _arrays.adapter_of(self.make[0]()).pointer
        is_plain = self.adapter.name in ("numpy", "torch", "cupy")

        def run(arrays: Sequence[Any]) -> Any:
            try:
                slot = slots.pop()
            except IndexError:
                slot = _Slot(template, shapes)
            words = slot.words
            for word, number, adapter in places:
                words[word] = adapter.pointer(arrays[number])
            for word, what in numbers:
                words[word] = (random.seed if what == "seed" else next(random.offsets)) & 0xFFFFFFFFFFFFFFFF
            results = []
            for word, make in makers:
                result = make()
                slot.result_words[word] = address(result)
                results.append(result)
            start(slot)
            slots.append(slot)
            if not is_plain:
                results = [finish(r, arrays[0]) for r in results]
            return tuple(results) if len(results) > 1 else results[0]

        plain = len(makers) == 1 and not numbers and is_plain and self.count == 3 and [p[1] for p in places] == [0, 1, 2]
        return self._bind_plain(run, address, start) if plain else run

    def _bind_plain(self, general: Callable, address: Callable, start: Callable) -> Callable[[Sequence[Any]], Any]:
        """Query, key and value, one result, nothing else: the path whose microseconds count."""
        slots, make = self.slots, self.make[0]
        k_word, v_word = ARGUMENT_WORDS, 2 * ARGUMENT_WORDS
        if self.adapter.name == "torch":
            address = sys.modules["torch"].Tensor.data_ptr

        def run(arrays: Sequence[Any]) -> Any:
            try:
                slot = slots.pop()
            except IndexError:
                return general(arrays)
            words = slot.words
            q, k, v = arrays
            words[0], words[k_word], words[v_word] = address(q), address(k), address(v)
            output = make()
            slot.result_words[0] = address(output)
            start(slot)
            slots.append(slot)
            return output

        return run

    def _bind_launch(self) -> Callable[[_Slot], None]:
        """The call of the library: on the host, or on the current stream of the arrays' library."""
        launch, launch_with, handle, device = _library.raw_launch, _library.raw_launch_with_workspace, self.handle, self.device
        workspace, stream = self.workspace, self._stream()
        if device is None:
            def start(slot: _Slot) -> None:
                if launch(handle, slot.first, slot.second, None):
                    raise _library.last_error()
        elif workspace is None:
            def start(slot: _Slot) -> None:
                if launch(handle, slot.first, slot.second, stream()):
                    raise _library.last_error()
        else:
            size, address = self.workspace_bytes, self.adapter.pointer

            def start(slot: _Slot) -> None:
                # The pool of the array's library knows streams and captures; the memory is given back before the kernel ends, to
                # those that come after it.
                memory = workspace()
                if launch_with(handle, slot.first, slot.second, address(memory), size, stream()):
                    raise _library.last_error()
        return self._on_device(start)

    def _on_device(self, start: Callable[[_Slot], None]) -> Callable[[_Slot], None]:
        """Of several GPUs, the one where the arrays lie, whatever the current one is."""
        if self.current_device() is None:
            return start
        device, guard = self.device, sys.modules["torch"].cuda.device

        def guarded(slot: _Slot) -> None:
            with guard(device):
                start(slot)

        return guarded

    def current_device(self) -> Callable[[], int] | None:
        """What tells the current one of several GPUs; None where there is no choice."""
        if self.device is None or self.adapter.name != "torch" or sys.modules["torch"].cuda.device_count() < 2:
            return None
        return sys.modules["torch"]._C._cuda_getDevice


def make_plan(arrays: Sequence[Any], options: Options) -> Plan:
    """Checks a call and makes its plan.

    Raises:
        ArgumentError: an argument that cannot be.
        TraceError: a function that cannot be traced.
        FlashError: what the compiler said.
    """
    described = describe_all(arrays, options)
    device = described[0].device
    source = Builder(described, options).build()
    function = get_function(source, "cpu" if device is None else "auto")
    if function.on_device != (device is not None):
        from ._errors import ArgumentError
        raise ArgumentError("q", f"an array on CUDA device {device}", "one on the host: the CUDA driver cannot be used here")
    return Plan(function, source, arrays, device)


def describe_all(arrays: Sequence[Any], options: Options) -> list[_arrays.Array]:
    """All arrays of a call, which lie on one device."""
    names = {0: "q", 1: "k", 2: "v", **{number: name for name, number in options.arrays.items()}}
    for closure in (options.score_closure, options.mask_closure, options.block_closure):
        if closure is not None:
            kind = {id(options.score_closure): "score", id(options.mask_closure): "mask", id(options.block_closure): "block"}[id(closure)]
            for i, name in enumerate(closure.names):
                names[options.closures[kind] + i] = f"'{name}' of the {kind} function"
    described = []
    for i, array in enumerate(arrays):
        described.append(_arrays.describe(array, names.get(i, f"array {i}")))
        if described[i].device != described[0].device:
            from ._errors import ArgumentError
            where = ["the host" if d.device is None else f"CUDA device {d.device}" for d in (described[i], described[0])]
            raise ArgumentError(names.get(i, f"array {i}"), f"an array on {where[0]}", f"{where[1]}, where q is")
    return described
