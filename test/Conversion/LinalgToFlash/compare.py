#!/usr/bin/env python3
"""Runs a module as it stands and raised to attention, on the same inputs, and compares the results.

    compare.py MODULE [--definition | --flash-run] [--dims 2,5,7] [--option round-probabilities] [--expect-raised N]

@main of the module takes and gives tensors. As it stands, it is lowered to loops by stock mlir-opt and run by mlir-runner: no part of the
compiler's leg for attention is in that. Raised, it is tiled and decomposed first; with --definition the attention is what expand.py makes of it,
and with --flash-run the whole is what flash-run makes of it, with its inputs and results in files.
"""

import argparse
import math
import os
import random
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import npy
from expand import expand

TO_LLVM = [
    "--one-shot-bufferize=bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map",
    "--scf-forall-to-for", "--convert-linalg-to-loops",
    "--arith-emulate-unsupported-floats=source-types=bf16,f16 target-type=f32", "--arith-expand=include-bf16",
    "--expand-strided-metadata", "--lower-affine", "--convert-scf-to-cf",
    "--convert-math-to-llvm", "--convert-math-to-libm", "--convert-to-llvm", "--reconcile-unrealized-casts"
]
RAISE = ["--inline", "--canonicalize", "--flash-raise", "--canonicalize"]
TO_STEPS = [
    "--flash-choose-schedule=schedule={#flash.schedule<m = 4, n = 4, d = 8>}", "--flash-tile-attention",
    "--flash-decompose-attention", "--flash-softmax-to-linalg"
]


def run(tool, arguments, text):
    done = subprocess.run([tool, *arguments], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{tool} {' '.join(arguments)}\n{done.stderr[:4000]}")
    return done.stdout, done.stderr


def parse_tensor(text):
    *sizes, element = re.fullmatch(r"tensor<(.*)>", text).group(1).split("x")
    return [None if size == "?" else int(size) for size in sizes], element


def draw(shape, element, rng, spread):
    """Numbers in order; half of the booleans are true, and all in the first column, so that each row has a key. Integers are 0 and 1 in the
    same way: they are masks, or positions, which exist."""
    count, columns = math.prod(shape), shape[-1] if shape else 1
    if element == "i1":
        return [i % columns == 0 or rng.random() < 0.5 for i in range(count)]
    if element.startswith("i"):
        return [int(i % columns == 0 or rng.random() < 0.5) for i in range(count)]
    return [float(f"{rng.gauss(0, spread):.6f}") for _ in range(count)]


def literal(shape, numbers):
    """Nested lists, as MLIR writes them."""
    if not shape:
        number = numbers[0]
        return str(number).lower() if isinstance(number, (bool, int)) else f"{number:.6f}"
    each = len(numbers) // shape[0]
    return "[" + ", ".join(literal(shape[1:], numbers[i * each:(i + 1) * each]) for i in range(shape[0])) + "]"


def signature(module):
    """Types of the arguments of @main, and of its first result."""
    match = re.search(r"func\.func (?:public )?@main\((.*?)\) -> \(?(.*?)(?:\)? \{| \{jax)", module, re.S)
    return re.findall(r"%[\w]+: (tensor<[^>]*>)", match.group(1)), re.match(r"tensor<[^>]*>", match.group(2)).group(0)


def make_inputs(types, dims, seed, spread):
    """Shape, element type and numbers of each argument."""
    rng = random.Random(seed)
    dims = list(dims)
    inputs = []
    for text in types:
        shape, element = parse_tensor(text)
        shape = [size if size is not None else dims.pop(0) for size in shape]
        inputs.append((shape, element, draw(shape, element, rng, spread)))
    return inputs


def driver(types, result, inputs):
    """A function that calls @main with constants and prints its result."""
    body = ""
    for index, (text, (shape, element, numbers)) in enumerate(zip(types, inputs)):
        static = f"tensor<{'x'.join(map(str, shape + [element]))}>"
        body += f"  %c{index} = arith.constant dense<{literal(shape, numbers)}> : {static}\n"
        body += f"  %a{index} = tensor.cast %c{index} : {static} to {text}\n"
    arguments = ", ".join(f"%a{index}" for index in range(len(types)))
    body += f"  %r = func.call @main({arguments}) : ({', '.join(types)}) -> {result}\n"
    shape, element = parse_tensor(result)
    if element != "f32":
        dynamic = [f"%d{i}" for i, size in enumerate(shape) if size is None]
        for i, size in enumerate(shape):
            if size is None:
                body += f"  %i{i} = arith.constant {i} : index\n  %d{i} = tensor.dim %r, %i{i} : {result}\n"
        wide = result.replace(element, "f32")
        loops = ", ".join(f"d{i}" for i in range(len(shape)))
        kinds = ", ".join(['"parallel"'] * len(shape))
        identity = f"affine_map<({loops}) -> ({loops})>"
        body += (f"  %e = tensor.empty({', '.join(dynamic)}) : {wide}\n"
                 f"  %w = linalg.generic {{indexing_maps = [{identity}, {identity}], iterator_types = ["
                 f"{kinds}]}} ins(%r : {result}) outs(%e : {wide}) {{\n"
                 f"  ^bb0(%x: {element}, %o: f32):\n    %y = arith.extf %x : {element} to f32\n    linalg.yield %y : f32\n"
                 f"  }} -> {wide}\n")
        result = wide
    else:
        body += f"  %w = tensor.cast %r : {result} to {result}\n"
    memref = result.replace("tensor<", "memref<")
    body += (f"  %m = bufferization.to_buffer %w : {result} to {memref}\n"
             f"  %u = memref.cast %m : {memref} to memref<*xf32>\n"
             "  func.call @printMemrefF32(%u) : (memref<*xf32>) -> ()\n")
    return ("func.func private @printMemrefF32(memref<*xf32>) attributes {llvm.emit_c_interface}\n"
            f"func.func @entry() {{\n{body}  return\n}}\n")


def execute(module, entry):
    """Appends the driver inside the module, lowers and runs it; the numbers printed."""
    # Constants in resources stand behind the module.
    module, resources, tail = module.partition("{-#")
    assert module.rstrip().endswith("}")
    text = module.rstrip()[:-1] + entry + "}\n" + resources + tail
    # Stock MLIR lowers powers whose exponent is 32 bits wide.
    text = re.sub(r"(%\w+ = )math\.fpowi (%\w+), (%\w+) : f32, i64",
                  r"%power\3 = arith.trunci \3 : i64 to i32\n\1math.fpowi \2, %power\3 : f32, i32".replace(r"%power\3", "%power"), text)
    lowered, _ = run("mlir-opt", ["--allow-unregistered-dialect", *TO_LLVM], text)
    with tempfile.NamedTemporaryFile("w", suffix=".mlir") as file:
        file.write(lowered)
        file.flush()
        libraries = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(which("mlir-runner")))), "lib")
        shared = ",".join(os.path.join(libraries, name) for name in ("libmlir_runner_utils.so", "libmlir_c_runner_utils.so"))
        printed, _ = run("mlir-runner", [file.name, "-e", "entry", "-entry-point-result=void", f"-shared-libs={shared}"], "")
    numbers = printed[printed.index("data ="):]
    return [float(x) for x in re.findall(r"-?(?:\d+\.?\d*(?:e[-+]\d+)?|nan|inf)", numbers[6:])]


def flash_run(module, inputs):
    """What flash-run makes of the module on the CPU, checked by itself, too; the numbers it writes."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--target=cpu", "--check", f"--output={folder}/result.npy"]
        for index, (shape, element, numbers) in enumerate(inputs):
            npy.write(f"{folder}/{index}.npy", element, shape, numbers)
            arguments.append(f"--input={folder}/{index}.npy")
        run("flash-run", ["-", *arguments], module)
        return npy.read(f"{folder}/result.npy")


def which(tool):
    for folder in os.environ["PATH"].split(os.pathsep):
        if os.access(os.path.join(folder, tool), os.X_OK):
            return os.path.join(folder, tool)
    sys.exit(f"no {tool} in PATH")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--definition", action="store_true", help="run the attention's definition, not the compiler's code")
    parser.add_argument("--flash-run", action="store_true", help="run the program with flash-run")
    parser.add_argument("--dims", default="", help="sizes for the dynamic dimensions of the arguments, in order")
    parser.add_argument("--option", action="append", help="an option of flash-raise")
    parser.add_argument("--expect-raised", type=int, default=1)
    parser.add_argument("--change", nargs=2, help="a text of the raised program, and what to put in its place")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spread", type=float, default=1, help="standard deviation of the inputs")
    arguments = parser.parse_args()

    with open(arguments.module) as file:
        module, _ = run("flash-opt", ["--inline", "--canonicalize"], file.read())
    options = list(RAISE)
    if arguments.option:
        options[2] += "=" + " ".join(arguments.option)
    raised, _ = run("flash-opt", options, module)
    module, raised = (run("flash-opt", ["--flash-lower-tm-tensor"], text)[0] if "tm_tensor" in text else text for text in (module, raised))
    count = len(re.findall(r"= flash\.attention ", raised))
    if count != arguments.expect_raised:
        sys.exit(f"{count} attentions were raised, not {arguments.expect_raised}")
    if arguments.change:
        assert arguments.change[0] in raised
        raised = raised.replace(*arguments.change)
    types, result = signature(module)
    inputs = make_inputs(types, [int(size) for size in arguments.dims.split(",") if size], arguments.seed, arguments.spread)
    entry = driver(types, result, inputs)
    before = execute(module, entry)
    if arguments.flash_run:
        after = flash_run(raised, inputs)
    else:
        after = execute(expand(raised) if arguments.definition else run("flash-opt", TO_STEPS, raised)[0], entry)
    if len(before) != len(after) or not before:
        sys.exit(f"{len(before)} numbers before, {len(after)} after")
    worst = max(abs(a - b) if math.isfinite(a) and math.isfinite(b) else math.inf for a, b in zip(before, after))
    size = max(map(abs, before))
    limit = (2e-2 if "bf16" in module else 3e-3 if "f16" in module else 2e-5) * max(size, 1)
    print(f"{count} raised, {len(before)} numbers up to {size:.3g}, worst difference {worst:.2g} (limit {limit:.2g})")
    if not worst <= limit or size == 0:
        sys.exit("the results differ")


if __name__ == "__main__":
    main()
