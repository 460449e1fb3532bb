"""Programs with each operation that a score or mask region may hold.

    functions.py                   the names, one a line
    functions.py NAME              the program of one
    functions.py --group N OF      that of every OF-th from the N-th on, in one region
    functions.py --narrow TYPE     that of all functions of floats, of f16, bf16, f8E4M3FN, f8E5M2
    functions.py --f64             one program for each function of floats of f64
    functions.py --each [NAME...]  the programs of all but those, for -split-input-file
    functions.py --docs FILE       compares the names with those of the table
"""

import re
import sys

# Of one f32 (the range that scores are brought to before), of two, of three.
UNARY = {name: "any" for name in """absf atan atanh_ cbrt ceil cos cosh erf erfc exp exp2 expm1 floor
    round roundeven sin sinh tan tanh trunc asinh""".split() if not name.endswith("_")}
UNARY.update({"acos": "unit", "asin": "unit", "atanh": "unit", "acosh": "above", "log": "positive", "log10": "positive",
              "log1p": "positive", "log2": "positive", "sqrt": "positive", "rsqrt": "positive"})
BINARY = ["math.atan2", "math.copysign", "math.powf", "arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.remf",
          "arith.maximumf", "arith.minimumf", "arith.maxnumf", "arith.minnumf"]
QUESTIONS = ["isnan", "isinf", "isfinite", "isnormal"]
INTEGERS = ["addi", "subi", "muli", "andi", "ori", "xori", "minsi", "maxsi", "minui", "maxui", "divsi", "divui", "ceildivsi",
            "ceildivui", "floordivsi", "remsi", "remui", "shli", "shrsi", "shrui"]
BITS = ["math.absi", "math.ctlz", "math.cttz", "math.ctpop"]

RANGES = {
    "any": ["%x = arith.mulf %s, %c2 : f32"],
    "unit": ["%u1 = math.tanh %s : f32", "%x = arith.mulf %u1, %half : f32"],
    "positive": ["%u1 = arith.mulf %s, %s : f32", "%x = arith.addf %u1, %half : f32"],
    "above": ["%u1 = arith.mulf %s, %s : f32", "%x = arith.addf %u1, %c2 : f32"],
}


def score(lines, range_="any"):
    body = ["%half = arith.constant 0.5 : f32", "%c2 = arith.constant 2.0 : f32"] + RANGES[range_] + lines
    return "score", ["%s: f32"], body, "f32"


def position(lines):
    """A score with %n : i32 of its positions in it."""
    return "score", ["%s: f32"], [
        "%d = arith.subi %i, %j : index", "%n = arith.index_cast %d : index to i32", "%c3 = arith.constant 3 : i32",
        "%c5 = arith.constant 5 : i32"] + lines + [
        "%f = arith.sitofp %m : i32 to f32", "%w = arith.constant 0.01 : f32", "%g = arith.mulf %f, %w : f32",
        "%r = arith.addf %s, %g : f32"], "f32"


def programs():
    made = {}
    for name, range_ in UNARY.items():
        made["math." + name] = score([f"%r = math.{name} %x : f32"], range_)
    made["arith.negf"] = score(["%r = arith.negf %x : f32"])
    for name in BINARY:
        base = "positive" if name == "math.powf" else "any"
        made[name] = score([f"%y = arith.addf %s, %c2 : f32", f"%r = {name} %x, {'%half' if name == 'math.powf' else '%y'} : f32"],
                           base)
    made["arith.divf"] = score(["%y = math.exp %s : f32", "%r = arith.divf %x, %y : f32"])
    made["arith.remf"] = score(["%y = arith.constant 0.75 : f32", "%r = arith.remf %x, %y : f32"])
    made["math.fma"] = score(["%r = math.fma %x, %half, %c2 : f32"])
    made["math.clampf"] = score(["%low = arith.constant -0.5 : f32", "%r = math.clampf %x to [%low, %half] : f32"])
    made["math.fpowi"] = score(["%n = arith.constant 3 : i32", "%r = math.fpowi %x, %n : f32, i32"])
    made["math.sincos"] = score(["%y, %z = math.sincos %x : f32", "%r = arith.addf %y, %z : f32"])
    for name in QUESTIONS:
        made["math." + name] = score(["%q = arith.divf %c2, %half : f32", f"%b1 = math.{name} %x : f32",
                                      "%r = arith.select %b1, %q, %x : f32"])
    made["arith.cmpf"] = score(["%b1 = arith.cmpf olt, %x, %half : f32", "%r = arith.select %b1, %x, %half : f32"])
    made["arith.select"] = made["arith.cmpf"]
    made["arith.truncf"] = score(["%y = arith.truncf %x : f32 to bf16", "%r = arith.extf %y : bf16 to f32"])
    made["arith.extf"] = made["arith.truncf"]
    made["arith.bitcast"] = score(["%y = arith.bitcast %x : f32 to i32", "%k = arith.constant -65536 : i32",
                                   "%z = arith.andi %y, %k : i32", "%r = arith.bitcast %z : i32 to f32"])
    made["arith.fptosi"] = score(["%y = arith.fptosi %x : f32 to i32", "%r = arith.sitofp %y : i32 to f32"])
    made["arith.sitofp"] = made["arith.fptosi"]
    made["arith.fptoui"] = score(["%y = arith.fptoui %x : f32 to i32", "%r = arith.uitofp %y : i32 to f32"], "positive")
    made["arith.uitofp"] = made["arith.fptoui"]
    for name in INTEGERS:
        operands = "%c3, %p" if name.startswith("sh") else "%n, %c3"
        if name.startswith("shr"):
            operands = "%n, %c3"
        before = ["%p = arith.andi %n, %c3 : i32"]
        # Unsigned quotients of what is positive are as far from overflow as others.
        if name in ("divui", "ceildivui", "remui", "shrui", "minui", "maxui"):
            before += ["%o = math.absi %n : i32"]
            operands = "%o, %c3"
        made["arith." + name] = position(before + [f"%m = arith.{name} {operands} : i32"])
    for name in BITS:
        made[name] = position([f"%m = {name} %n : i32"])
    made["math.ipowi"] = position(["%c2i = arith.constant 2 : i32", "%p = arith.andi %n, %c5 : i32",
                                   "%m = math.ipowi %p, %c2i : i32"])
    made["arith.cmpi"] = position(["%b1 = arith.cmpi slt, %n, %c3 : i32", "%m = arith.select %b1, %n, %c3 : i32"])
    made["arith.extsi"] = position(["%y = arith.trunci %n : i32 to i8", "%m = arith.extsi %y : i8 to i32"])
    made["arith.extui"] = position(["%y = arith.trunci %n : i32 to i8", "%m = arith.extui %y : i8 to i32"])
    made["arith.trunci"] = made["arith.extsi"]
    made["arith.index_cast"] = position(["%m = arith.addi %n, %c3 : i32"])
    made["arith.index_castui"] = position(["%u = arith.index_castui %c3 : i32 to index", "%v = arith.remsi %j, %u : index",
                                           "%m = arith.index_cast %v : index to i32"])
    made["affine.apply"] = position(["%a = affine.apply affine_map<(x, y) -> (x floordiv 3 + y mod 5)>(%i, %j)",
                                     "%m = arith.index_cast %a : index to i32"])
    made["scf.if"] = position(["%b1 = arith.cmpi slt, %n, %c3 : i32", "%m = scf.if %b1 -> i32 {", "scf.yield %n : i32",
                               "} else {", "%o = arith.muli %n, %c5 : i32", "scf.yield %o : i32", "}"])
    made["scf.for"] = position(["%zero = arith.constant 0 : index", "%one = arith.constant 1 : index",
                                "%three = arith.constant 3 : index",
                                "%m = scf.for %l = %zero to %three step %one iter_args(%a = %n) -> i32 {",
                                "%o = arith.addi %a, %c5 : i32", "scf.yield %o : i32", "}"])
    made["tensor.dim"] = position(["%zero = arith.constant 0 : index", "%a = tensor.dim %t, %zero : tensor<?xf32>",
                                   "%m = arith.index_cast %a : index to i32"])
    made["tensor.from_elements"] = position(["%q = arith.muli %n, %c5 : i32", "%l = tensor.from_elements %n, %q, %c3 : tensor<3xi32>",
                                             "%three = arith.constant 3 : index", "%u = arith.remui %j, %three : index",
                                             "%m = tensor.extract %l[%u] : tensor<3xi32>"])
    made["arith.constant"] = position(["%l = arith.constant dense<[[3, -7], [11, 2]]> : tensor<2x2xi32>",
                                       "%two = arith.constant 2 : index", "%u = arith.remui %j, %two : index",
                                       "%e = tensor.extract %l[%h, %u] : tensor<2x2xi32>", "%m = arith.addi %e, %n : i32"])
    made["arith.addui_extended"] = position(["%e, %o = arith.addui_extended %n, %c3 : i32, i1", "%x = arith.extui %o : i1 to i32",
                                             "%m = arith.addi %e, %x : i32"])
    for name in ("mulsi_extended", "mului_extended"):
        made["arith." + name] = position([f"%e, %o = arith.{name} %n, %c5 : i32", "%m = arith.addi %e, %o : i32"])
    made["affine.min"] = position(["%a = affine.min affine_map<(x, y) -> (x - y, 7)>(%i, %j)", "%m = arith.index_cast %a : index to i32"])
    made["affine.max"] = position(["%a = affine.max affine_map<(x, y) -> (x - y, 7)>(%i, %j)", "%m = arith.index_cast %a : index to i32"])
    made["affine.for"] = position(["%m = affine.for %l = 0 to 3 iter_args(%a = %n) -> i32 {", "%o = arith.addi %a, %c5 : i32",
                                   "affine.yield %o : i32", "}"])
    made["scf.while"] = position(["%z = math.absi %n : i32", "%m = scf.while (%a = %z) : (i32) -> i32 {",
                                  "%b1 = arith.cmpi sgt, %a, %c3 : i32", "scf.condition(%b1) %a : i32", "} do {", "^bb0(%e: i32):",
                                  "%o = arith.subi %e, %c5 : i32", "scf.yield %o : i32", "}"])
    made["scf.index_switch"] = position(["%three = arith.constant 3 : index", "%u = arith.remui %j, %three : index",
                                         "%m = scf.index_switch %u -> i32", "case 1 {", "scf.yield %n : i32", "}", "default {",
                                         "scf.yield %c5 : i32", "}"])
    made["scf.execute_region"] = position(["%m = scf.execute_region -> i32 {", "%o = arith.addi %n, %c5 : i32",
                                           "scf.yield %o : i32", "}"])
    made["tensor.extract"] = position(["%m = arith.addi %n, %c3 : i32"])
    return made


def narrow(made, element):
    """Functions of floats with their f32 in another type."""
    names = [name for name, (_, _, lines, _) in made.items() if lines[0].startswith("%half") and "i32" not in " ".join(lines)
             and "%low" not in " ".join(lines) and "bf16" not in " ".join(lines)]
    programs = {}
    wide, back = ("extf", "truncf") if element == "f64" else ("truncf", "extf")
    for name in names:
        lines = [line if " arith.constant " in line else line.replace("%s", "%sn") for line in made[name][2]]
        programs[name] = ("score", ["%s: f32"], [f"%sn = arith.{wide} %s : f32 to {element}"] +
                          [line.replace("f32", element).replace("%r =", "%rn =") for line in lines] +
                          [f"%r = arith.{back} %rn : {element} to f32"], "f32")
    return programs


def rounded(element):
    """Scores that are rounded to 8 bits, of all sizes and signs."""
    return {"arith.truncf": score([f"%k = arith.constant {k} : f32", "%y = arith.mulf %x, %k : f32",
                                   f"%z = arith.truncf %y : f32 to {element}", f"%e = arith.extf %z : {element} to f32",
                                   "%l = arith.divf %e, %k : f32", "%r = arith.addf %l, %s : f32"])
            for k in ["1.0"]}


def text(kind, arguments, body, result, element="f16"):
    lines = "\n    ".join(body)
    arguments = ", ".join(arguments + ["%b: index", "%h: index", "%i: index", "%j: index", "%t: tensor<?xf32>"])
    return f"""!t = tensor<1x2x40x64x{element}>
func.func @main(%query: !t, %key: !t, %value: !t, %c: tensor<?xf32>) -> !t {{
  %o = flash.attention %query, %key, %value captures(%c : tensor<?xf32>) {kind} {{
  ^bb0({arguments}):
    {lines}
    flash.yield %r : {result}
  }} : !t, !t, !t -> !t
  return %o : !t
}}
"""


def group(made, number, of):
    """A score to which each of the functions adds a little."""
    lines = ["%w = arith.constant 0.05 : f32"]
    last = "%s"
    for index, name in enumerate(list(made)[number::of]):
        rename = lambda match: match[0] if match[1] in "sbhijt" else f"%m{index}_{match[1]}"
        lines += [re.sub(r"%(\w+)", rename, line) for line in made[name][2]]
        lines += [f"%a{index} = arith.mulf %m{index}_r, %w : f32", f"%b{index} = arith.addf {last}, %a{index} : f32"]
        last = f"%b{index}"
    return text("score", ["%s: f32"], lines + [f"%r = arith.addf {last}, %w : f32"], "f32")


def main():
    made = programs()
    arguments = sys.argv[1:]
    if not arguments:
        print("\n".join(made))
    elif arguments[0] == "--group":
        print(group(made, int(arguments[1]), int(arguments[2])))
    elif arguments[0] == "--narrow":
        made = rounded(arguments[1]) if arguments[1].startswith("f8") else narrow(made, arguments[1])
        print(group(made, 0, 1))
    elif arguments[0] == "--f64":
        print("// -----\n".join(text(*program) for program in narrow(made, "f64").values()))
    elif arguments[0] == "--each":
        print("// -----\n".join(text(*made[name]) for name in made if name not in arguments))
    elif arguments[0] == "--docs":
        table = set(re.findall(r"`((?:math|arith|affine|scf|tensor)\.\w+)`", open(arguments[1]).read()))
        missing = [name for name in made if name not in table]
        for name in missing:
            print(f"{arguments[1]} does not name {name}")
        sys.exit(bool(missing))
    else:
        print(text(*made[arguments[0]]))


if __name__ == "__main__":
    main()
