"""Prints what the tool says first of each of these, beside what was written."""

import subprocess
import sys

PROGRAM = """!t = tensor<1x2x8x16xf32>
func.func @main(%q: !t, %k: !t, %v: !t, %n: index) -> !t {{
  %o = flash.attention %q, %k, %v {} : !t, !t, !t -> !t
  return %o : !t
}}
"""
REGION = """mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %s = arith.cmpi sle, %j, %n : index
    flash.yield %s : i1
  }"""
WRITTEN = ["{mask = #flash.window<128>}", "{mask = #flash.window<left = 1, left = 2>}", "{mask = #flash.window}",
           "{scores = [#flash.softcap<30>]}", "{scores = [#flash.softcap]}", '{layout = "bshd"}',
           "{scores = #flash.softcap<30.0>}", "{scale = 0.125}", '{mask = "causal"}', "{mask = true}", "mask = #flash.causal",
           "score = #flash.alibi", REGION, "{mask = #flash.caussal}", "{mask = [#flash.causal]}", "{mask = #flash.and<[#flash.causal]>}",
           "mask #flash.causal", "scale = 0.125 : f32", "attributes {mask = #flash.causal}", "{mask = #flash.block_sparse<128, 128>}",
           "{mask = #flash.segments}", '{schedule = "fast"}', "{mask = #flash.window<left = 3, right = 0>, scores = [#flash.softcap<30.0>]}"]

path, tool = sys.argv[1] + ".mlir", sys.argv[2]
for text in WRITTEN:
    with open(path, "w") as file:
        file.write(PROGRAM.format(text))
    done = subprocess.run([tool, path], capture_output=True, text=True)
    name = "mask region" if text is REGION else text
    if done.returncode == 0:
        name, said = "good", next(line for line in done.stdout.splitlines() if "flash.attention" in line)
    else:
        said = done.stderr.splitlines()[0]
    print(name, "->", said)
