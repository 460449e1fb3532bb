# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shortcut of PyTorch's tensors: a call that was made before, in one call of the library.

PyTorch 2.10 and newer hand a tensor's shape, strides, type and address to C (DLPack's exchange API). With it the library
(lib/CAPI/PythonCall.cpp) finds what was prepared for a call by itself, makes the results and launches: `call` here. What
it does not know it leaves to attention(), whose plans are prepared for it by `add`. Without the API, in a Python without a
lock, or in one that is not CPython, nothing is prepared, and all calls go the way of `_attention`.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
import threading
from collections.abc import Callable
from typing import Any

from . import _arrays, _library, _plan

MOST_ARGUMENTS, MOST_RESULTS, OPTIONS = 8, 4, 7  # kMostArguments, kMostResults, kNumOptions

_Pointer, _Object = ctypes.c_void_p, ctypes.py_object
# Members of FlashPython that are functions of Python's C API, in order.
_FUNCTIONS = ("Py_IncRef", "Py_DecRef", "PyObject_Type", "PyObject_GetAttr", "PyObject_IsTrue", "PyBytes_FromStringAndSize", "PyTuple_Pack",
              "PyTuple_New", "PyTuple_SetItem", "PyTuple_GetItem", "PyDict_GetItemWithError", "PyLong_AsVoidPtr", "PyLong_AsLong",
              "PyObject_CallNoArgs", "PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_Clear", "PyCFunction_NewEx")


class Python(ctypes.Structure):
    """FlashPython of PythonCall.cpp."""

    _fields_ = [("exchange", _Pointer), ("none", _Object), ("tensor_type", _Object), ("requires_grad", _Object), ("raise_last_error", _Object),
                *((name, _Pointer) for name in _FUNCTIONS)]


class PreparedCall(ctypes.Structure):
    """FlashPreparedCall of PythonCall.cpp."""

    _fields_ = [("function", _Pointer), ("arguments", _Pointer), ("results", _Pointer), ("sources", ctypes.POINTER(ctypes.c_int32)),
                ("make_results", ctypes.POINTER(_Object)), ("make_workspace", _Object), ("workspace_bytes", ctypes.c_size_t),
                ("num_arguments", ctypes.c_int32), ("num_results", ctypes.c_int32), ("current_device", _Object), ("device", ctypes.c_int64)]


# Prepared calls by key and options: the address of a PreparedCall, and what keeps it alive.
_prepared: dict[tuple[bytes, tuple], tuple] = {}
_attaching = threading.Lock()
_attached: bool | None = None  # None: nobody asked yet


def _nothing(*arguments: Any) -> None:
    """In the place of the library's functions, as long as there are none."""


# call(q, k, v, option, ...): what attention() gives; None for a call that is not prepared. The options are those of a key, in order.
call: Callable[..., Any] = _nothing
_key: Callable[[Any, Any, Any], bytes | None] = _nothing
_forget: Callable[[], None] = _nothing


def _exchange_of(kind: type) -> int | None:
    """The address of the exchange API of a type of tensors, if the library knows its version."""
    capsule, name = getattr(kind, "__dlpack_c_exchange_api__", None), b"dlpack_exchange_api"
    is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, _Object, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
    if not is_valid(capsule, name):
        return None
    get = ctypes.PYFUNCTYPE(_Pointer, _Object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    address = get(capsule, name)
    return address if ctypes.c_uint32.from_address(address).value == 1 else None


def _raise_last_error() -> None:
    raise _library.last_error()


def _attach(kind: type) -> bool:
    """Hands Python's functions to the library, and makes functions of Python of the library's."""
    global call, _forget, _key
    exchange = None
    if sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
        exchange = _exchange_of(kind)
    if exchange is None:
        return False
    functions = (ctypes.cast(getattr(ctypes.pythonapi, name), _Pointer) for name in _FUNCTIONS)
    python = Python(exchange, None, kind, "requires_grad", _raise_last_error, *functions)
    attach = ctypes.PYFUNCTYPE(_Object, ctypes.POINTER(Python), _Object)(("flashPythonAttach", _library.get()))
    _key, call, _forget = attach(ctypes.byref(python), _prepared)
    return True


def add(q: Any, k: Any, v: Any, options: tuple, plan: _plan.Plan) -> None:
    """Prepares the calls that a plan is for, if they are ones of `call`."""
    global _attached
    # All arguments are q, k or v.
    if plan.adapter is not _arrays.TorchAdapter or plan.count != 3 or len(plan.places) != len(plan.template):
        return
    if len(plan.places) > MOST_ARGUMENTS or len(plan.result_shapes) > MOST_RESULTS:
        return
    if _attached is None:
        with _attaching:
            if _attached is None:
                _attached = _attach(sys.modules["torch"].Tensor)
    key = _key(q, k, v)
    if key is None or len(options) != OPTIONS:
        return
    slot = plan.new_slot()
    sources = (ctypes.c_int32 * len(plan.places))(*(array for _, array, _ in plan.places))
    makers = [plan.adapter.maker(q, shape, element, is_current=True) for shape, element in plan.source.results]
    prepared = PreparedCall(plan.handle, slot.first, slot.second, sources, (_Object * len(makers))(*makers))
    # A py_object that is not set is null.
    if plan.workspace is not None:
        prepared.make_workspace = plan.adapter.maker(q, (plan.workspace_bytes,), "i8", is_current=True)
        prepared.workspace_bytes = plan.workspace_bytes
    prepared.num_arguments, prepared.num_results = len(plan.places), len(makers)
    if plan.device is not None and (current := plan.current_device()) is not None:
        prepared.current_device, prepared.device = current, plan.device
    _prepared[key, options] = (ctypes.addressof(prepared), prepared, slot, plan)


def clear() -> None:
    """Forgets all calls."""
    _prepared.clear()
    _forget()
