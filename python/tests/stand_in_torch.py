# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""As much of PyTorch as attention() asks for, with DLPack's exchange API, on NumPy's memory: it counts what is asked of it.

`install()` makes it `import torch` of a process. Tensors say that they lie on the device that `device` names, -1 for the host.
"""

import contextlib
import ctypes
import sys
import types

import numpy as np

from flash_mlir import _arrays

counts = {"borrowed": 0, "made": 0, "streams": 0, "guards": 0}
torch = types.ModuleType("torch")
_codes = {}  # of DLPack, by types of NumPy
_state = {"device": -1, "devices": 1, "current": 0, "grad": True, "fail": False}


class Tensor:
    """An array of NumPy that answers as a tensor does."""

    __module__ = "torch"

    def __init__(self, array, requires_grad=False):
        self.array, self.requires_grad, self.dtype, self.layout = array, requires_grad, array.dtype, "strided"
        self.shape, self.where = array.shape, _state["device"]
        self.is_cuda, self.is_cpu, self.device = self.where >= 0, self.where < 0, self.where
        self.steps = tuple(s // array.itemsize for s in array.strides)
        self.c_shape, self.c_steps = ((ctypes.c_int64 * array.ndim)(*numbers) for numbers in (self.shape, self.steps))
        self.address = array.__array_interface__["data"][0]
        self.code = _codes[array.dtype]

    def stride(self):
        return self.steps

    def get_device(self):
        return self.where

    def data_ptr(self):
        return self.address


def _borrow(tensor, address):
    counts["borrowed"] += 1
    to = _arrays._DLTensor.from_address(address)
    to.data, to.device_type, to.device_id = tensor.address, 2 if tensor.is_cuda else 1, max(0, tensor.where)
    to.ndim, (to.code, to.bits), to.lanes, to.byte_offset = len(tensor.shape), tensor.code, 1, 0
    to.shape, to.strides = tensor.c_shape, tensor.c_steps
    return 0


def _current_stream(kind, device, to):
    counts["streams"] += 1
    ctypes.c_void_p.from_address(to).value = None
    return 0


def _empty_strided(shape, strides, dtype, device):
    counts["made"] += 1
    if _state["fail"]:
        raise MemoryError("no memory left")
    # A device's memory begins at multiples of 256.
    raw = np.full(int(np.prod(shape)) * dtype.itemsize + 256, 0xFF, "u1")
    begin = -raw.__array_interface__["data"][0] % 256
    return Tensor(raw[begin:len(raw) - 256 + begin].view(dtype).reshape(shape))


@contextlib.contextmanager
def _guard(device):
    counts["guards"] += 1
    before, _state["current"] = _state["current"], device
    yield
    _state["current"] = before


@contextlib.contextmanager
def _no_grad():
    _state["grad"] = False
    yield
    _state["grad"] = True


_borrow_c = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p)(_borrow)
_stream_c = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p)(_current_stream)
# DLPackExchangeAPI: version, the API before, three functions that nobody calls, and two.
_exchange = (ctypes.c_void_p * 7)(1, None, None, None, None, ctypes.cast(_borrow_c, ctypes.c_void_p), ctypes.cast(_stream_c, ctypes.c_void_p))


def install(device=-1, devices=1, exchange=True):
    _state.update(device=device, devices=devices)
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(("PyCapsule_New", ctypes.pythonapi))
    if exchange:
        Tensor.__dlpack_c_exchange_api__ = new(ctypes.addressof(_exchange), b"dlpack_exchange_api", None)
    for code, element in _arrays._DL_ELEMENTS.items():
        if element in ("f64", "f32", "f16", "i8"):
            dtype = np.dtype(_arrays.NAMES[element])
            _codes[dtype] = code
            setattr(torch, _arrays.NAMES[element], dtype)
    torch.Tensor, torch.strided, torch.empty_strided, torch.no_grad = Tensor, "strided", _empty_strided, _no_grad
    torch.is_grad_enabled = lambda: _state["grad"]
    torch.cuda = types.SimpleNamespace(device_count=lambda: _state["devices"], device=_guard)
    torch._C = types.SimpleNamespace(_cuda_getCurrentRawStream=lambda device: 0, _cuda_getDevice=lambda: _state["current"])
    torch.from_numpy, torch.state = Tensor, _state
    sys.modules["torch"] = torch
    return torch
