# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays in the memory of the device that does nothing (null_cuda.c): as much of CuPy as is read."""

import sys


class Data:
    def __init__(self, pointer): self.ptr = pointer


class Device:
    id = 0


class ndarray:
    # As much of CuPy's as is read, in slots: its own are in C.
    __slots__ = ("shape", "strides", "dtype", "data", "device", "itemsize")

    def __init__(self, shape, dtype):
        self.shape, self.dtype, self.data, self.device, self.itemsize = shape, dtype, Data(1 << 20), Device, 2
        strides, step = [], 2
        for n in reversed(shape):
            strides.append(step)
            step *= n
        self.strides = tuple(reversed(strides))


class cupy:
    @staticmethod
    def empty(shape, dtype):
        return ndarray(shape, dtype)

    class cuda:
        class get_current_stream:
            ptr = 0


ndarray.__module__ = "cupy"
sys.modules["cupy"] = cupy
