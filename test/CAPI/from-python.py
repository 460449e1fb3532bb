# RUN: env PYTHONPATH=%flash_src/benchmarks FLASH_LIBRARY=%flash_obj/lib/libflash-c.so %python %s | FileCheck %s
"""The C library from Python, without NumPy or PyTorch."""

import ctypes
import json

import flash_ctypes


class Tensor:
    """As much of a tensor as the wrapper asks for."""

    def __init__(self, shape, value):
        self.shape, count = shape, 1
        for size in shape:
            count *= size
        self.data = (ctypes.c_float * count)(*([value] * count))

    def data_ptr(self):
        return ctypes.addressof(self.data)


program = """
func.func @attention(%q: tensor<?x2x?x16xf32>, %k: tensor<?x1x?x16xf32>, %v: tensor<?x1x?x8xf32>, %i: index)
    -> (tensor<?x2x?x8xf32>, tensor<?x2x?xf32>) {
  %o, %lse = flash.attention %q, %k, %v q_offset(%i) {mask = #flash.causal}
      : tensor<?x2x?x16xf32>, tensor<?x1x?x16xf32>, tensor<?x1x?x8xf32> -> tensor<?x2x?x8xf32>, tensor<?x2x?xf32>
  return %o, %lse : tensor<?x2x?x8xf32>, tensor<?x2x?xf32>
}
"""
f = flash_ctypes.compile(program, target="cpu")
# CHECK: query f32 (None, 2, None, 16)
# CHECK: q_offset index ()
# CHECK: lse f32 (None, 2, None)
for info in f.arguments + f.results:
    print(info.name, info.type, info.shape)

# All scores are 0: O is the mean of equal values, LSE the logarithm of how many are seen: keys 0 to 4 by the first query.
q, k, v = Tensor((1, 2, 3, 16), 0), Tensor((1, 1, 9, 16), 1), Tensor((1, 1, 9, 8), 2.5)
# CHECK: [(1, 2, 3, 8), (1, 2, 3)]
print(f.result_shapes([q, k, v, 4]))
o, lse = Tensor((1, 2, 3, 8), float("nan")), Tensor((1, 2, 3), float("nan"))
flash_ctypes.set_num_threads(1)
f.prepare()
f.launch([q, k, v, 4], [o, lse])
# CHECK: 2.5000 2.5000 1.6094 1.7918 1.9459 1.6094
print(*(f"{x:.4f}" for x in (o.data[0], o.data[47], *lse.data[:4])))

# CHECK: length differs: key has 9, value has 8
try:
    f.launch([q, k, Tensor((1, 1, 8, 8), 0), 4], [o, lse])
except flash_ctypes.FlashError as error:
    print(error)
# CHECK: True False
print(b"define" in f.code("llvm"), f.on_device)

# A bound call reads what is in the tensors when it is made.
call = f.bind([q, k, v, 4], [o, lse])
v.data[0:8] = [8.5] * 8
call()
# CHECK: 3.7000
print(f"{o.data[0]:.4f}")
# CHECK: cpu 1 True
report = json.loads(f.code("report"))
print(report["target"], len(report["schedules"]), 0 < report["compile_ms"]["L1"] < report["compile_ms"]["total"])
# CHECK: the target cpu has no song
try:
    f.code("song")
except flash_ctypes.FlashError as error:
    print(error)

# The IR of levels, from a cache, too; what a call moves; tools that a host has.
# CHECK: flash.attention flash.online_attention flash.online_softmax
for level, op in (("L0", "flash.attention"), ("L1", "flash.online_attention"), ("L2", "flash.online_softmax")):
    print(op if op.encode() in f.code(level) else f"no {op} in {level}", end=" ")
# CHECK: the target cpu has no level L3; it has L0, L1, L2, L4
try:
    f.code("L3")
except flash_ctypes.FlashError as error:
    print(error)
# CHECK: sizes      batch 1, 2 heads (1 of keys), 3 queries, 9 keys, head dims 16 and 8, f32
print(f.io_report([q, k, v, 4]))
# CHECK: batch 1 of 1
sizes = json.loads(f.io_report([q, k, v, 4], "json"))["operations"][0]["sizes"]
print("batch", sizes["batch"], "of 1")
# CHECK: length differs
# CHECK: a report is text or json, not 'song'
for arguments, form in (([q, k, Tensor((1, 1, 8, 8), 0), 4], "text"), ([q, k, v, 4], "song")):
    try:
        f.io_report(arguments, form)
    except flash_ctypes.FlashError as error:
        print(error)
# CHECK: 0 1
library = flash_ctypes._function._library.get()
print(library.flashSetToolPath(b"nvJitLink", b""), library.flashSetToolPath(b"song", b""))

# Data of masks.
masked = flash_ctypes.compile("""
func.func @attention(%q: tensor<1x1x?x16xf32>, %k: tensor<1x1x?x16xf32>, %v: tensor<1x1x?x16xf32>, %a: tensor<1x?xi32>, %b: tensor<1x?xi32>)
    -> tensor<1x1x?x16xf32> {
  %o = flash.attention %q, %k, %v mask_operands(%a, %b : tensor<1x?xi32>, tensor<1x?xi32>) {mask = #flash.segments}
      : tensor<1x1x?x16xf32>, tensor<1x1x?x16xf32>, tensor<1x1x?x16xf32> -> tensor<1x1x?x16xf32>
  return %o : tensor<1x1x?x16xf32>
}
""", target="cpu")
# CHECK: ['f32', 'f32', 'f32', 'i32', 'i32']
print([info.type for info in masked.arguments])

# Booleans, a byte each: the query sees keys 1 and 3.
seen = flash_ctypes.compile("""
func.func @attention(%q: tensor<1x1x1x16xf32>, %k: tensor<1x1x4x16xf32>, %v: tensor<1x1x4x8xf32>, %seen: tensor<4xi1>) -> tensor<1x1x1x8xf32> {
  %o = flash.attention %q, %k, %v captures(%seen : tensor<4xi1>) {mask = #flash.region} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %m: tensor<4xi1>):
    %0 = tensor.extract %m[%j] : tensor<4xi1>
    flash.yield %0 : i1
  } : tensor<1x1x1x16xf32>, tensor<1x1x4x16xf32>, tensor<1x1x4x8xf32> -> tensor<1x1x1x8xf32>
  return %o : tensor<1x1x1x8xf32>
}
""", target="cpu")
keys = Tensor((4,), 0)
keys.data = (ctypes.c_bool * 4)(False, True, False, True)
values, output = Tensor((1, 1, 4, 8), 0), Tensor((1, 1, 1, 8), float("nan"))
values.data[:] = [float(i // 8) for i in range(32)]
seen.launch([Tensor((1, 1, 1, 16), 0), Tensor((1, 1, 4, 16), 1), values, keys], [output])
# CHECK: i1 2.0000
print(seen.arguments[3].type, f"{output.data[0]:.4f}")
