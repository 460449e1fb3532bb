#!/usr/bin/env python3
"""Compiles a list of attentions for every GPU target and looks at the code.

No GPU is needed. For each kernel and target: PTX by flash-opt and flash-translate,
then ptxas. No spill, but for a few bytes outside of the loops with products where a
watcher has as few registers as the producer, no local memory, no serialised wgmma, and
in the SASS no register of a wgmma in flight that is written (wgmma_hazards.py); the
numbers of tensor instructions, copies and barriers, registers and shared memory are compared with
kernels.json beside this file. `--update` writes that file anew. Schedules are the
model's, so that a new table of measurements changes nothing here.

With `--table FILE`, the kernels are those of the problems of a table of measured
schedules, for its target: the same is looked at, and nothing compared.
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import wgmma_hazards  # noqa: E402

TARGETS = ["sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120"]
BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kernels.json")
# Registers may grow by this much before it is an error; another assembler may do as
# it likes within what spills nothing.
REGISTER_SLACK = 8


def attention(dtype="bf16", dqk=128, dv=None, heads=16, key_heads=None, causal=False,
              layout="bhsd", lse=False):
    """An attention in MLIR at L0."""
    dv = dv or dqk
    key_heads = key_heads or heads

    def shape(h, d):
        dims = ["?", str(h), "?", str(d)] if layout == "bhsd" else ["?", "?", str(h), str(d)]
        return f"tensor<{'x'.join(dims)}x{dtype}>"

    q, k, v, o = shape(heads, dqk), shape(key_heads, dqk), shape(key_heads, dv), shape(heads, dv)
    attributes = [f"layout = #flash.layout<{layout}>"] if layout != "bhsd" else []
    if causal:
        attributes.append(f"mask = {'#flash.causal' if causal is True else causal}")
    results = [o] + ([f"tensor<?x{heads}x?xf32>"] if lse else [])
    names = ["%r0", "%r1"][: len(results)]
    joined = ", ".join(results)
    return (f"func.func @attention(%q: {q}, %k: {k}, %v: {v}) -> ({joined}) {{\n"
            f"  {', '.join(names)} = flash.attention %q, %k, %v {{{', '.join(attributes)}}}"
            f" : {q}, {k}, {v} -> {joined}\n"
            f"  return {', '.join(names)} : {joined}\n}}\n")


def with_features(clauses, operands=(), dqk=128, dtype="bf16", lse=False, heads=16, body=""):
    """An attention with masks or score functions; operands are (name, type)."""
    t = f"tensor<?x{heads}x?x{dqk}x{dtype}>"
    arguments = "".join(f", %{name}: {type}" for name, type in operands)
    results = ", ".join([t] + ([f"tensor<?x{heads}x?xf32>"] if lse else []))
    names = ", ".join(["%r0", "%r1"][: 1 + lse])
    return (f"func.func @attention(%q: {t}, %k: {t}, %v: {t}{arguments}) -> ({results}) {{\n"
            f"  {names} = flash.attention %q, %k, %v {clauses} {body} : {t}, {t}, {t} -> {results}\n"
            f"  return {names} : {results}\n}}\n")


def grouped(clauses, operands, key_heads=2):
    """with_features, of fewer key heads."""
    text = with_features(clauses, operands, lse=True)
    q = "tensor<?x16x?x128xbf16>"
    k = q.replace("16x", f"{key_heads}x", 1)
    text = re.sub(r"%(k|v): " + re.escape(q), rf"%\1: {k}", text)
    return text.replace(f"{q}, {q}, {q} ->", f"{q}, {k}, {k} ->")


def with_blocks(partial="", **shape):
    """One whose lists of 128 x 128 blocks hold for all batches and heads."""
    count, numbers = "tensor<1x1x?xi32>", "tensor<1x1x?x?xi32>"
    operands = [("np", count), ("p", numbers), ("nf", count), ("f", numbers)]
    mask = "#flash.block_sparse<bq = 128, bk = 128" + (f", partial = {partial}>" if partial else ">")
    return with_features(f"mask_operands(%np, %p, %nf, %f : {count}, {numbers}, {count}, {numbers}) {{mask = {mask}}}",
                         operands, **shape)


REGION = """score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %c: tensor<16xbf16>):
    %x = tensor.extract %c[%h] : tensor<16xbf16>
    %y = arith.extf %x : bf16 to f32
    %d = arith.subi %j, %i : index
    %d64 = arith.index_cast %d : index to i64
    %f = arith.sitofp %d64 : i64 to f32
    %m = math.absf %f : f32
    %l = math.log1p %m : f32
    %p = arith.mulf %l, %y : f32
    %z = arith.subf %s, %p : f32
    flash.yield %z : f32
  }"""

def with_lengths(ragged, mask="", **shape):
    """One whose lengths are data: of keys, or of packed sequences."""
    operands = [("n", "tensor<?xi32>")] + ([("c", "tensor<?xi32>")] if ragged else [])
    clause = ("cu_seqlens_q(%n : tensor<?xi32>) cu_seqlens_k(%c : tensor<?xi32>)" if ragged
              else "kv_lengths(%n : tensor<?xi32>)")
    text = with_features(f"{clause} {{{f'mask = {mask}' if mask else ''}}}", operands, **shape)
    return text.replace("tensor<?x16x", "tensor<1x16x") if ragged else text


CLUSTER = " schedule=#flash.schedule<cluster=2>"
PACKED = " schedule=#flash.schedule<packHeads=8>"
HIDDEN = " hide-unseen=true"
BACKWARD = " schedule=#flash.schedule<reverseKeys=true,peelMasks=true>"

# name: (MLIR, options of the pipeline)
KERNELS = {
    "hd64": (attention(dqk=64), ""),
    "hd64-causal": (attention(dqk=64, dtype="f16", causal=True, lse=True), ""),
    "hd128": (attention(), ""),
    "hd128-causal-gqa": (attention(causal=True, lse=True, key_heads=4), ""),
    "hd128-bshd": (attention(dtype="f16", layout="bshd"), ""),
    "hd59": (attention(dqk=59, dtype="f16"), ""),
    "hd80-causal": (attention(dqk=80, causal=True), ""),
    "hd96": (attention(dqk=96, dtype="f16"), ""),
    "hd111-causal": (attention(dqk=111, causal=True, lse=True), ""),
    "hd192-128-causal": (attention(dqk=192, dv=128, causal=True), ""),
    "hd256": (attention(dqk=256), ""),
    "hd256-causal": (attention(dqk=256, dtype="f16", causal=True), ""),
    "alibi-causal": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                                   [("a", "tensor<16xf32>")]), ""),
    "alibi-causal-lse": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                                       [("a", "tensor<16xf32>")], lse=True, dqk=64), ""),
    "alibi-causal-lse-hd128": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                                             [("a", "tensor<16xf32>")], lse=True, dtype="f16"), ""),
    "alibi-causal-hd64": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                                        [("a", "tensor<16xf32>")], dqk=64), ""),
    "alibi-causal-hd256": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                                         [("a", "tensor<16xf32>")], dqk=256), ""),
    "alibi-window": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.window<left = 1023, right = 0>}",
                                   [("a", "tensor<16xf32>")]), ""),
    "alibi-full": (with_features("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi]}",
                                 [("a", "tensor<16xf32>")]), ""),
    "causal-backward": (attention(causal=True), BACKWARD),
    "causal-backward-hd64": (attention(causal=True, dqk=64, dtype="f16", lse=True), BACKWARD),
    "window-backward": (with_features("{mask = #flash.window<left = 1023, right = 0>}"), BACKWARD),
    "softcap-causal": (with_features("{scores = [#flash.softcap<30.0 : f32>], mask = #flash.causal}"), ""),
    "softcap-lse": (with_features("{scores = [#flash.softcap<30.0 : f32>], mask = #flash.causal}", dtype="f16", lse=True), ""),
    "bias": (with_features("score_operands(%a : tensor<1x16x?x?xf32>) {scores = [#flash.bias]}",
                           [("a", "tensor<1x16x?x?xf32>")]), ""),
    "score-region": (with_features("captures(%a : tensor<16xbf16>) {scores = [#flash.region], mask = #flash.causal}",
                                   [("a", "tensor<16xbf16>")], body=REGION), ""),
    "window": (with_features("{mask = #flash.window<left = 1023, right = 0>}", lse=True), ""),
    "blocks": (with_blocks(), ""),
    "blocks-hd64-lse": (with_blocks(dqk=64, dtype="f16", lse=True), ""),
    "blocks-hd256": (with_blocks(dqk=256), ""),
    "blocks-causal-lse": (with_blocks("#flash.causal", lse=True), ""),
    "blocks-hd64-window": (with_blocks("#flash.window<left = 1023, right = 0>", dqk=64, dtype="f16"), ""),
    "blocks-hd256-causal": (with_blocks("#flash.causal", dqk=256), ""),
    "lengths": (with_lengths(False), ""),
    "lengths-hd64-causal": (with_lengths(False, "#flash.causal", dqk=64, dtype="f16", lse=True), ""),
    "lengths-hd256-causal": (with_lengths(False, "#flash.causal", dqk=256), ""),
    "ragged": (with_lengths(True, lse=True), ""),
    "ragged-causal": (with_lengths(True, "#flash.causal"), ""),
    "ragged-hd64": (with_lengths(True, dqk=64, dtype="f16"), ""),
    "ragged-hd256-window": (with_lengths(True, "#flash.window<left = 1023, right = 0>", dqk=256), ""),
    "cluster": (attention(), CLUSTER),
    "cluster-hd256": (attention(dqk=256, dtype="f16", lse=True), CLUSTER),
    "packed-causal-lse": (attention(causal=True, key_heads=2, lse=True, layout="bshd"), PACKED),
    "packed-hd64": (attention(dqk=64, dtype="f16", key_heads=2), PACKED),
    "packed-hd256": (attention(dqk=256, dtype="f16", key_heads=2, lse=True), PACKED),
    "packed-alibi": (grouped("score_operands(%a : tensor<16xf32>) {scores = [#flash.alibi], mask = #flash.causal}",
                             [("a", "tensor<16xf32>")]), PACKED),
    "merge": (attention(dqk=64, causal=True), " split-kv=3"),
    "hidden-hd64": (attention(dqk=64, dtype="f16", causal=True, lse=True), HIDDEN),
    "hidden-hd128": (attention(causal=True, lse=True, key_heads=4), HIDDEN),
    "hidden-hd256": (attention(dqk=256, dtype="f16", causal=True), HIDDEN),
    "hidden-window": (with_features("{mask = #flash.window<left = 1023, right = 0>}", lse=True), HIDDEN),
    "hidden-blocks": (with_blocks("#flash.causal", lse=True), HIDDEN),
    "hidden-ragged": (with_lengths(True, "#flash.causal"), HIDDEN),
    "hidden-packed": (attention(causal=True, key_heads=2, lse=True, layout="bshd"), PACKED + HIDDEN),
}

# The model of registers is not calibrated for score functions and wide masks on sm_100 and sm_120.
FEATURE_TARGETS = ["sm_80", "sm_86", "sm_89", "sm_90a"]
FEATURES = ["alibi-causal", "alibi-causal-lse", "softcap-causal", "softcap-lse", "bias", "score-region", "window",
            "lengths", "ragged", "ragged-causal", "blocks", "blocks-hd64-lse", "blocks-hd256", "blocks-causal-lse", "blocks-hd64-window",
            "blocks-hd256-causal", "packed-causal-lse", "packed-hd64", "packed-hd256", "packed-alibi"]
# Keys walked from the last on, and what ALiBi has else there; clusters. With mma.sync, a window inside listed blocks spills
# some bytes on sm_86 and sm_89.
HOPPER = ["alibi-causal-lse-hd128", "alibi-causal-hd64", "alibi-causal-hd256", "alibi-window", "alibi-full", "causal-backward",
          "causal-backward-hd64", "window-backward", "cluster", "cluster-hd256", "blocks-hd64-window",
          "lengths-hd64-causal", "lengths-hd256-causal", "ragged-hd64", "ragged-hd256-window"]


def targets_of(name):
    if name.startswith("hidden-"):
        return ["sm_80", "sm_90a"]
    return ["sm_90a"] if name in HOPPER else FEATURE_TARGETS if name in FEATURES else TARGETS


INSTRUCTIONS = {
    "mma": r"\bmma\.sync\.",
    "wgmma": r"\bwgmma\.mma_async\.",
    "cp_async": r"\bcp\.async\.c[ag]\.",
    "tma": r"\bcp\.async\.bulk\.tensor\.",
    "ldmatrix": r"\bldmatrix\.",
    "mbarrier": r"\bmbarrier\.",
    "barrier": r"\b(?:bar|barrier)(?:\.cta)?\.sync",
    "setmaxnreg": r"\bsetmaxnreg\.",
}


def run(command, text, what):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{what} failed: {done.stderr.strip()[:2000]}")
    return done.stdout, done.stderr


def find_tool(name, variable):
    for path in (os.environ.get(variable), shutil.which(name), f"/usr/local/cuda/bin/{name}"):
        if path and os.access(path, os.X_OK):
            return path
    sys.exit(f"error: there is no {name}: set {variable}, or put it on the PATH")


def wgmma_problems(sass):
    """Registers of products in flight that something writes; and whether the checker sees the products at all."""
    problems, products = [], 0
    for kernel, lines in wgmma_hazards.split_kernels(sass):
        hazards, count = wgmma_hazards.find_hazards(lines)
        products += count
        problems += [f"{kernel}: R{register} of a wgmma in flight is written: {instruction.text}"
                     for (_, register), instruction in hazards.items()]
    return problems if products else ["no HGMMA in the SASS of a kernel with wgmma"]


def table_kernels(path):
    """The kernels of a table's entries: {name: (MLIR, options of the pipeline)}, and the table's architecture."""
    with open(path) as file:
        table = json.load(file)
    masks = {"none": "", "causal": "#flash.causal", "window": "#flash.window<left = 1023, right = 0>"}
    kernels = {}
    for entry in table["entries"]:
        problem = entry["problem"]
        if problem["mask"] not in masks or problem.get("scores") or problem.get("paged") or problem.get("offsets"):
            continue  # a file's own; whoever tuned it has seen it compile
        name = f"hd{problem['qk']}-{problem['v']}-{problem['mask']}-{problem['bits']}"
        source = attention(dtype={16: "bf16", 32: "f32"}[problem["bits"]], dqk=problem["qk"], dv=problem["v"],
                           causal=masks[problem["mask"]], lse=problem.get("lse", False))
        kernels[name] = (source, f" schedule-table={path}", len(entry["schedules"]))
    return kernels, re.search(r'kind = "(\w+)"', table["target"]).group(1)


def spills_among_products(sass):
    """Whether some function loads or stores a spilt register between its first and its last product."""
    for function in re.split(r"\n\s*//-+ \.text\.", sass)[1:]:
        code = [line for line in function.splitlines() if re.search(r"/\*[0-9a-f]{4,5}\*/", line)]
        products = [i for i, line in enumerate(code) if re.search(r"\bHG?MMA\b", line)]
        if products and any(re.search(r"\b(LDL|STL)\b", line) for line in code[products[0]:products[-1]]):
            return True
    return False


def assemble(ptx, target, options):
    """Returns (what ptxas says, problems of the code)."""
    with tempfile.TemporaryDirectory() as directory:
        path, cubin = os.path.join(directory, "kernel.ptx"), os.path.join(directory, "kernel.cubin")
        with open(path, "w") as file:
            file.write(ptx)
        _, log = run([options.ptxas, "-O3", "-v", f"-arch={target}", "-o", cubin, path], None, "ptxas")
        if "wgmma.mma_async" not in ptx:
            return log, []
        sass, _ = run([options.nvdisasm, "-c", cubin], None, "nvdisasm")
        # Consumers of a kernel with a watcher may lose a scalar between tiles, and the watcher what it wants.
        if "vote.sync.any.pred some" in ptx and not spills_among_products(sass):
            log = re.sub(r"(\d\d?) bytes (stack frame|spill stores|spill loads)", r"0 bytes \2", log)
        return log, wgmma_problems(sass)


def compile_kernel(name, target, options):
    """Returns (facts, problems)."""
    source, pipeline = KERNELS[name][:2]
    if not options.table:
        pipeline += " schedule-table=none"
    extra = f" {options.pipeline}" if options.pipeline else ""
    level4, _ = run([options.flash_opt, f"--flash-gpu-pipeline=target={target}{pipeline}{extra}"],
                    source, "flash-opt")
    ptx, _ = run([options.flash_translate, "--flash-to-ptx", f"--flash-target={target}"],
                 level4, "flash-translate")
    if options.keep:
        with open(os.path.join(options.keep, f"{name}.{target}.ptx"), "w") as file:
            file.write(ptx)
    log, problems = ("", []) if options.generate else assemble(ptx, target, options)
    if re.search(r"\bC75\d\d\b|serialized", log):
        problems.append("wgmma is serialised: " +
                        next(l for l in log.splitlines() if re.search(r"C75\d\d|serialized", l)))
    for amount, what in re.findall(r"(\d+) bytes (stack frame|spill stores|spill loads)", log):
        if int(amount):
            problems.append(f"{amount} bytes {what}")
    if re.search(r"\.local\b", ptx):
        problems.append("PTX with local memory")
    facts = {} if options.generate else {"registers": [int(n) for n in re.findall(r"Used (\d+) registers", log)]}
    facts["shared"] = [int(n) for n in re.findall(r"flash_tile\.shared_bytes = (\d+)", level4)]
    if options.table and not options.generate and len(facts["registers"]) != KERNELS[name][2]:
        problems.append(f"{len(facts['registers'])} kernels for {KERNELS[name][2]} schedules: is one of them not taken?")
    facts.update({key: len(re.findall(pattern, ptx)) for key, pattern in INSTRUCTIONS.items()})
    return facts, problems


def compare(facts, expected, same_assembler):
    problems = []
    for key, value in facts.items():
        if key == "registers":
            limit = REGISTER_SLACK if same_assembler else 256
            if len(value) != len(expected[key]) or any(
                    new > old + limit for new, old in zip(value, expected[key])):
                problems.append(f"registers {value}, baseline {expected[key]}")
        elif value != expected.get(key):
            problems.append(f"{key} {value}, baseline {expected.get(key)}")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flash-opt", default="flash-opt")
    parser.add_argument("--flash-translate", default="flash-translate")
    parser.add_argument("--update", action="store_true", help="write the baseline anew")
    parser.add_argument("--generate", action="store_true", help="make the PTX; what an assembler finds is not asked")
    parser.add_argument("--keep", metavar="DIR", help="keep the PTX there")
    parser.add_argument("--kernel", action="append", help="only this kernel (repeatable)")
    parser.add_argument("--target", action="append", help="only this target (repeatable)")
    parser.add_argument("--table", metavar="FILE", help="a table's kernels instead")
    parser.add_argument("--pipeline", default="", help="more options of flash-gpu-pipeline")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.update and options.generate:
        parser.error("--update needs an assembler")
    targets = TARGETS
    if options.table:
        kernels, target = table_kernels(options.table)
        if target == "cpu":
            print("a CPU's table has no kernels")
            return 0
        targets = [target]
        KERNELS.clear()
        KERNELS.update(kernels)
    version = None
    if not options.generate:
        options.ptxas = find_tool("ptxas", "FLASH_PTXAS")
        options.nvdisasm = find_tool("nvdisasm", "FLASH_NVDISASM")
        version = re.search(r"release ([\d.]+), V([\d.]+)",
                            run([options.ptxas, "--version"], None, "ptxas")[0])
        version = version.group(2) if version else "unknown"

    jobs = [(name, target) for name in KERNELS for target in targets
            if (options.table or target in targets_of(name))
            and (not options.kernel or name in options.kernel)
            and (not options.target or target in options.target)]
    baseline = {"ptxas": version, "kernels": {}}
    if os.path.exists(BASELINE):
        with open(BASELINE) as file:
            baseline = json.load(file)
    same_assembler = baseline["ptxas"] == version
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {job: pool.submit(compile_kernel, *job, options) for job in jobs}
        for name, target in jobs:
            key = f"{name}/{target}"
            try:
                facts, problems = futures[name, target].result()
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                facts, problems = None, [str(error)]
            if facts and not options.update and not options.pipeline and not options.table:
                expected = baseline["kernels"].get(key)
                problems += (compare(facts, expected, same_assembler) if expected
                             else ["not in the baseline: run with --update"])
            if options.update and facts:
                baseline["kernels"][key] = facts
            failures += bool(problems)
            print(f"{'FAIL' if problems else 'ok':4} {key:28} "
                  + ("" if not facts else " ".join(f"{k} {v}" for k, v in facts.items() if v)))
            for problem in problems:
                print(f"     {problem}")
            sys.stdout.flush()
    if options.update:
        baseline["ptxas"] = version
        kernels = {key: baseline["kernels"][key] for key in sorted(baseline["kernels"])}
        with open(BASELINE, "w") as file:
            rows = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in kernels.items())
            file.write(f'{{"ptxas": {json.dumps(version)}, "kernels": {{\n{rows}\n}}}}\n')
    print(f"{len(jobs)} kernels, {failures} with problems")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
