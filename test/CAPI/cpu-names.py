# RUN: env PYTHONPATH=%flash_src/benchmarks FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %s | FileCheck %s
"""CPUs by name in the C library: the code is there for each, calls for those that this machine has all of; errors are returned."""

import ctypes
import json

import flash_ctypes

program = """
func.func @f(%q: tensor<1x1x3x25xbf16>, %k: tensor<1x1x5x25xbf16>, %v: tensor<1x1x5x41xbf16>) -> tensor<1x1x3x41xbf16> {
  %o = flash.attention %q, %k, %v : tensor<1x1x3x25xbf16>, tensor<1x1x5x25xbf16>, tensor<1x1x5x41xbf16> -> tensor<1x1x3x41xbf16>
  return %o : tensor<1x1x3x41xbf16>
}
"""


class Tensor:
    def __init__(self, shape):
        self.shape, count = shape, 1
        for size in shape:
            count *= size
        self.data = (ctypes.c_uint16 * count)()

    def data_ptr(self):
        return ctypes.addressof(self.data)


def launch(f):
    f.launch([Tensor((1, 1, 3, 25)), Tensor((1, 1, 5, 25)), Tensor((1, 1, 5, 41))], [Tensor((1, 1, 3, 41))])


# CHECK: cpu:x86-64 True
f = flash_ctypes.compile(program, target="cpu:x86-64")
launch(f)
print(json.loads(f.code("report"))["target"], b'"target-cpu"="x86-64"' in f.code("llvm"))
# CHECK: cpu:znver4 True
f = flash_ctypes.compile(program, target="cpu:znver4")
print(json.loads(f.code("report"))["target"], b'"target-cpu"="znver4"' in f.code("llvm"))
# CHECK: cpu:bdver4 True
f = flash_ctypes.compile(program, target="cpu:bdver4")
print(json.loads(f.code("report"))["target"], b'"target-cpu"="bdver4"' in f.code("llvm"))
# CHECK: its processor lacks {{.*}}xop
try:
    launch(f)
except flash_ctypes.FlashError as error:
    print(error)
# CHECK: no CPU 'znver99'; there are x86-64, {{.*}}znver4
try:
    flash_ctypes.compile(program, target="cpu:znver99")
except flash_ctypes.FlashError as error:
    print(error)
