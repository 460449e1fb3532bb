# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a function closes over: a key of it, its arrays, and the same function over other arrays.

A score or mask function is known by its code, its constants, and the shapes and types of the arrays that it reads; the arrays'
elements are read by the kernel. So a lambda that is made anew for each call is traced once, and what is traced is the
function with its arrays exchanged for `Capture`s, wherever they are: in closures, globals, defaults, partials, attributes.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from . import _arrays

_LIBRARIES = frozenset(("numpy", "torch", "jax", "jaxlib", "cupy", "flash_mlir", "builtins", "math", "functools", "operator", "typing",
                        "collections", "itertools", "abc", "dataclasses", "enum", "threading", "os", "sys", "_pytest", "pytest"))
_PLAIN = (bool, int, float, str, bytes, complex, type(None), type(Ellipsis))


def _is_library(module: str | None) -> bool:
    return (module or "").partition(".")[0] in _LIBRARIES


def _names(code: types.CodeType) -> list[str]:
    """Globals that code, or a function made in it, names."""
    names = list(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names += _names(constant)
    return names


def _is_autograd_function(value: Any) -> bool:
    return isinstance(value, type) and any(b.__name__ == "Function" and b.__module__.startswith("torch.autograd") for b in value.__mro__[1:])


def _has_state(value: Any) -> bool:
    return hasattr(value, "__dict__") and not isinstance(value, (type, types.ModuleType)) and not _is_library(type(value).__module__)


class _Same:
    """An object that is equal to itself alone, and lives as long as a key that has it."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


class Closure:
    """A function's key and arrays.

    Attributes:
        key: hashable; equal keys mean the same program for the same sizes.
        arrays: what the kernel reads, each once, in the order in which they were met.
        names: what the function calls each.
    """

    def __init__(self, function: Callable):
        self.arrays: list[Any] = []
        self.names: list[str] = []
        self._numbers: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self.keep: list[Any] = []
        self.key = self._key(function, getattr(function, "__name__", type(function).__name__), 0)

    def _key(self, value: Any, name: str, depth: int) -> Any:
        if isinstance(value, _PLAIN):
            return type(value), repr(value) if isinstance(value, float) else value
        if _arrays.is_array(value):
            return self._array_key(value, name)
        if isinstance(value, types.ModuleType):
            return "module", value.__name__
        if (seen := self._seen.get(id(value))) is not None:
            return "seen", seen
        self._seen[id(value)] = len(self._seen)
        self.keep.append(value)
        if isinstance(value, (tuple, list)):
            return type(value).__name__, tuple(self._key(v, f"{name}[{i}]", depth) for i, v in enumerate(value))
        if isinstance(value, dict):
            return "dict", tuple((repr(k), self._key(v, f"{name}[{k!r}]", depth)) for k, v in value.items())
        if isinstance(value, functools.partial):
            return "partial", self._key(value.func, name, depth), self._key(value.args, name, depth), self._key(value.keywords, name, depth)
        if isinstance(value, types.MethodType):
            return "method", self._key(value.__func__, name, depth), self._key(value.__self__, "self", depth)
        if _is_autograd_function(value):
            return "autograd", self._key(value.forward, name, depth)
        if isinstance(value, types.FunctionType):
            return self._function_key(value, name, depth)
        if _has_state(value) and depth < 4:
            call = getattr(type(value), "__call__", None)
            return ("object", type(value), self._key(call, name, depth + 1) if isinstance(call, types.FunctionType) else None,
                    tuple((k, self._key(v, f"{name}.{k}", depth + 1)) for k, v in vars(value).items()))
        try:
            hash(value)
        except TypeError:
            return "opaque", _Same(value)
        return "value", value

    def _array_key(self, value: Any, name: str) -> Any:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self.arrays)
            self.arrays.append(value)
            self.names.append(name)
        return "array", number, _arrays.adapter_of(value).key(value)

    def _function_key(self, function: types.FunctionType, name: str, depth: int) -> Any:
        if _is_library(function.__module__) and not function.__closure__:
            return "library", function
        code = function.__code__
        parts = [self._key(function.__defaults__, name, depth), self._key(function.__kwdefaults__, name, depth)]
        for variable, cell in zip(code.co_freevars, function.__closure__ or ()):
            try:
                parts.append(self._key(cell.cell_contents, variable, depth))
            except ValueError:  # not yet assigned
                parts.append("empty")
        # A library's function is looked into for what it closes over (and_masks of others' masks), and no farther.
        for variable in _names(code) if not _is_library(function.__module__) else ():
            if variable in function.__globals__:
                parts.append((variable, self._key(function.__globals__[variable], variable, depth)))
        return "function", code, tuple(parts)

    def replace(self, function: Callable, captures: list[Any]) -> Callable:
        """The function with `captures[i]` in the place of `arrays[i]`."""
        return _Replacement({id(array): capture for array, capture in zip(self.arrays, captures)}).of(function, 0)


class _Context:
    """The `ctx` of an autograd.Function's forward."""

    def save_for_backward(self, *_: Any) -> None:
        pass

    mark_non_differentiable = set_materialize_grads = save_for_forward = mark_dirty = save_for_backward


class _Forward:
    """What stands for an autograd.Function: its forward."""

    def __init__(self, forward: Callable, has_setup: bool):
        self.forward, self.has_setup = forward, has_setup

    def apply(self, *args: Any) -> Any:
        return self.forward(*args) if self.has_setup else self.forward(_Context(), *args)


class _Replacement:
    def __init__(self, captures: dict[int, Any]):
        self.captures = captures
        self.made: dict[int, Any] = {}
        self.keep: list[Any] = []

    def of(self, value: Any, depth: int) -> Any:
        if isinstance(value, _PLAIN) or isinstance(value, types.ModuleType):
            return value
        if id(value) in self.captures:
            return self.captures[id(value)]
        if id(value) in self.made:
            return self.made[id(value)]
        self.keep.append(value)
        made = self._make(value, depth)
        self.made[id(value)] = made
        return made

    def _make(self, value: Any, depth: int) -> Any:
        if isinstance(value, (tuple, list)):
            items = [self.of(v, depth) for v in value]
            if all(a is b for a, b in zip(items, value)):
                return value
            return items if isinstance(value, list) else type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        if isinstance(value, dict):
            return {k: self.of(v, depth) for k, v in value.items()}
        if isinstance(value, functools.partial):
            return functools.partial(self.of(value.func, depth), *self.of(value.args, depth), **self.of(value.keywords, depth))
        if isinstance(value, types.MethodType):
            return types.MethodType(self.of(value.__func__, depth), self.of(value.__self__, depth))
        if _is_autograd_function(value):
            setup = any("setup_context" in vars(b) for b in value.__mro__ if b.__name__ not in ("Function", "_SingleLevelFunction"))
            return _Forward(self.of(value.forward, depth), setup)
        if isinstance(value, types.FunctionType):
            return value if _is_library(value.__module__) and not value.__closure__ else self._function(value, depth)
        if _has_state(value) and depth < 4:
            return self._object(value, depth)
        return value

    def _function(self, function: types.FunctionType, depth: int) -> types.FunctionType:
        code = function.__code__
        variables = dict(function.__globals__)
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        made = types.FunctionType(code, variables, function.__name__, None, cells)
        made.__module__ = function.__module__
        self.made[id(function)] = made  # it may name itself
        for cell, old in zip(cells, function.__closure__ or ()):
            try:
                cell.cell_contents = self.of(old.cell_contents, depth)
            except ValueError:
                pass
        for name in _names(code) if not _is_library(function.__module__) else ():
            if name in variables:
                variables[name] = self.of(variables[name], depth)
        made.__defaults__ = self.of(function.__defaults__, depth)
        made.__kwdefaults__ = self.of(function.__kwdefaults__, depth)
        return made

    def _object(self, value: Any, depth: int) -> Any:
        state = {k: self.of(v, depth + 1) for k, v in vars(value).items()}
        call = getattr(type(value), "__call__", None)
        if isinstance(call, types.FunctionType):
            # The class's own method, over exchanged globals.
            copy = object.__new__(type(type(value).__name__, (type(value),), {"__call__": self.of(call, depth)}))
            copy.__dict__.update(state)
            return copy
        if all(state[k] is v for k, v in vars(value).items()):
            return value
        copy = object.__new__(type(value))
        copy.__dict__.update(state)
        return copy
