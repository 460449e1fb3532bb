# REQUIRES: localedef
# RUN: rm -rf %t && mkdir %t && localedef -i de_DE -f UTF-8 %t/de_DE.UTF-8
# RUN: env LOCPATH=%t PYTHONPATH=%flash_src/benchmarks FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %s | FileCheck %s
"""A host whose numbers have decimal commas: what the library writes and reads has points."""

import json
import locale

import flash_ctypes

program = """
func.func @f(%q: tensor<1x1x3x16xf32>, %k: tensor<1x1x5x16xf32>, %v: tensor<1x1x5x16xf32>) -> tensor<1x1x3x16xf32> {
  %o = flash.attention %q, %k, %v {scale = 0.1875 : f32} : tensor<1x1x3x16xf32>, tensor<1x1x5x16xf32>, tensor<1x1x5x16xf32> -> tensor<1x1x3x16xf32>
  return %o : tensor<1x1x3x16xf32>
}
"""
locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
# CHECK: 1,5
print(locale.str(1.5))
f = flash_ctypes.compile(program, target="cpu")
# CHECK: True
print(any(value != int(value) for value in json.loads(f.code("report"))["compile_ms"].values()))
# CHECK: 1,5
print(locale.str(1.5))
