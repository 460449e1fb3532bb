"""Writes flash.attention as its definition says, in scalar loops of arith and scf, without the compiler.

    expand(module) -> module

For static shapes, and what flash-raise makes: masks causal, window, region and conjunctions; softcap, bias and region as score functions.
"""

import re

OP = re.compile(
    r"(?P<result>%\w+) = flash\.attention (?P<q>%\w+), (?P<k>%\w+), (?P<v>%\w+)"
    r"(?: q_offset\((?P<offset>%\w+)\))?"
    r"(?: score_operands\((?P<biases>[^:]*) : (?P<biasTypes>[^)]*)\))?"
    r"(?: captures\((?P<captures>[^:]*) : (?P<captureTypes>[^)]*)\))?"
    r" \{(?P<attributes>.*?)\}(?P<score> score \{.*?\n    \})?(?P<mask> mask \{.*?\n    \})?"
    r" : (?P<types>tensor<[^>]*>, tensor<[^>]*>, tensor<[^>]*>) -> (?P<type>tensor<[^>]*>)$", re.S | re.M)


def parse(type):
    *sizes, element = re.fullmatch(r"tensor<(.*)>", type).group(1).split("x")
    return [int(size) for size in sizes], element


def split(text):
    return [part.strip() for part in text.split(", ") if part.strip()] if text else []


def region_function(name, region, result):
    """The region as a function of its block arguments."""
    header, body = re.search(r"\^bb0\((.*?)\):\n(.*)\n    \}$", region, re.S).groups()
    body = re.sub(r"flash\.yield (%\w+) : \w+", rf"return \1 : {result}", body)
    return f"  func.func private @{name}({header}) -> {result} {{\n{body}\n  }}\n", [p.split(": ")[1] for p in re.split(r", (?=%)", header)]


class Expansion:

    def __init__(self, match, number):
        self.m = match
        self.name = f"attention{number}"
        self.lines = []
        self.next = 0
        self.functions = ""
        types = re.findall(r"tensor<[^>]*>", match["types"])
        self.types = dict(zip("qkv", types))
        self.bshd = "#flash.layout<bshd>" in match["attributes"]
        (self.B, self.H, self.Sq, self.D), self.element = self.sizes(types[0])
        (_, self.Hk, self.Sk, _), _ = self.sizes(types[1])
        (_, _, _, self.Dv), _ = self.sizes(types[2])
        self.f = "f64" if self.element == "f64" else "f32"
        self.biases = list(zip(split(match["biases"]), split(match["biasTypes"])))
        self.captures = list(zip(split(match["captures"]), split(match["captureTypes"])))

    def sizes(self, type):
        shape, element = parse(type)
        return ([shape[0], shape[2], shape[1], shape[3]] if self.bshd else shape), element

    def emit(self, text):
        self.next += 1
        self.lines.append(f"%x{self.next} = {text}")
        return f"%x{self.next}"

    def number(self, value):
        return self.emit(f"arith.constant {value} : {self.f}")

    def index(self, value):
        return self.emit(f"arith.constant {value} : index")

    def read(self, tensor, type, b, h, i, d):
        at = [b, i, h, d] if self.bshd else [b, h, i, d]
        value = self.emit(f"tensor.extract {tensor}[{', '.join(at)}] : {type}")
        element = parse(type)[1]
        return value if element == self.f else self.emit(f"arith.extf {value} : {element} to {self.f}")

    def call_region(self, kind, leading, result):
        function, types = region_function(f"{self.name}_{kind}", self.m[kind], result)
        self.functions += function
        arguments = leading + [f"%capture{n}" for n in range(len(self.captures))]
        return self.emit(f"func.call @{self.name}_{kind}({', '.join(arguments)}) : ({', '.join(types)}) -> {result}")

    def visible(self, mask, place):
        _, _, i, j = place
        if mask.startswith("#flash.and<"):
            parts = re.findall(r"#flash\.\w+(?:<[^<>]*>)?", mask[len("#flash.and<"):])
            seen = self.visible(parts[0], place)
            for part in parts[1:]:
                seen = self.emit(f"arith.andi {seen}, {self.visible(part, place)} : i1")
            return seen
        if mask == "#flash.causal":
            return self.emit(f"arith.cmpi sle, {j}, {i} : index")
        if mask == "#flash.region":
            return self.call_region("mask", list(place), "i1")
        window = re.fullmatch(r"#flash\.window<(.*)>", mask).group(1)
        bounds = {key: int(value) for key, value in re.findall(r"(\w+) = (-?\d+)", window)}
        seen = self.emit("arith.constant true")
        for side, predicate in (("left", "sge"), ("right", "sle")):
            if bounds.get(side, -1) >= 0:
                shift = self.index(bounds[side] * (-1 if side == "left" else 1))
                bound = self.emit(f"arith.addi {i}, {shift} : index")
                compare = self.emit(f"arith.cmpi {predicate}, {j}, {bound} : index")
                seen = self.emit(f"arith.andi {seen}, {compare} : i1")
        return seen

    def score(self):
        """The body of a function of (q, k, biases, captures, offset, b, h, row, j)."""
        attributes = self.m["attributes"]
        group = self.index(self.H // self.Hk)
        hk = self.emit(f"arith.divui %h, {group} : index")
        zero, one, d = self.index(0), self.index(1), self.index(self.D)
        start = self.number("0.0")
        self.lines.append(f"%dot = scf.for %d = {zero} to {d} step {one} iter_args(%sum = {start}) -> {self.f} {{")
        a = self.read("%q", self.types["q"], "%b", "%h", "%row", "%d")
        c = self.read("%k", self.types["k"], "%b", hk, "%j", "%d")
        product = self.emit(f"arith.mulf {a}, {c} : {self.f}")
        total = self.emit(f"arith.addf %sum, {product} : {self.f}")
        self.lines += [f"scf.yield {total} : {self.f}", "}"]
        scale = self.number(re.search(r"(?<!\w)scale = ([-+.\de]+)", attributes).group(1))
        s = self.emit(f"arith.mulf %dot, {scale} : {self.f}")
        i = self.emit("arith.addi %row, %offset : index")
        place = ("%b", "%h", i, "%j")
        listed = re.search(r"scores = \[(.*?)\](?:,|$)", attributes)
        for function in split(listed.group(1)) if listed else []:
            if function == "#flash.region":
                s = self.call_region("score", [s, *place], self.f)
            elif function == "#flash.bias":
                number = sum("%bias" in line for line in self.lines)
                _, type = self.biases[number]
                shape, element = parse(type)
                at = [self.index(0) if size == 1 else value for size, value in zip(shape, ("%b", "%h", "%row", "%j"))]
                bias = self.emit(f"tensor.extract %bias{number}[{', '.join(at)}] : {type}")
                if element != self.f:
                    bias = self.emit(f"arith.extf {bias} : {element} to {self.f}")
                s = self.emit(f"arith.addf {s}, {bias} : {self.f}")
            else:
                cap = self.number(re.fullmatch(r"#flash\.softcap<([-+.\de]+) : f32>", function).group(1))
                inner = self.emit(f"math.tanh {self.emit(f'arith.divf {s}, {cap} : {self.f}')} : {self.f}")
                s = self.emit(f"arith.mulf {inner}, {cap} : {self.f}")
        mask = re.search(r"mask = (#flash\.and<.*>|#flash\.window<[^>]*>|#flash\.\w+)", attributes)
        if mask or self.m["mask"]:
            seen = self.visible(mask.group(1) if mask else "#flash.region", place)
            hidden = self.number("0xFFF0000000000000" if self.f == "f64" else "0xFF800000")
            s = self.emit(f"arith.select {seen}, {s}, {hidden} : {self.f}")
        self.lines.append(f"return {s} : {self.f}")

    def expand(self):
        tensors = ([("%q", self.types["q"]), ("%k", self.types["k"])] +
                   [(f"%bias{n}", type) for n, (_, type) in enumerate(self.biases)] +
                   [(f"%capture{n}", type) for n, (_, type) in enumerate(self.captures)])
        parameters = tensors + [(name, "index") for name in ("%offset", "%b", "%h", "%row", "%j")]
        self.score()
        body, self.lines = "\n".join("    " + line for line in self.lines), []
        header = ", ".join(f"{name}: {type}" for name, type in parameters)
        self.functions += f"  func.func private @{self.name}({header}) -> {self.f} {{\n{body}\n  }}\n"

        f, m = self.f, self.m
        offset = m["offset"] or self.index(self.Sk - self.Sq)
        heads, infinite = self.index(self.H // self.Hk), self.number("0xFFF0000000000000" if f == "f64" else "0xFF800000")
        zero, one, keys, none = self.index(0), self.index(1), self.index(self.Sk), self.number("0.0")
        place = "%b, %row, %h, %d" if self.bshd else "%b, %h, %row, %d"
        self.lines.append(f"{m['result']} = tensor.generate {{\n    ^bb0({', '.join(p + ': index' for p in place.split(', '))}):")
        values = [m["q"], m["k"]] + [name for name, _ in self.biases] + [name for name, _ in self.captures] + [offset, "%b", "%h", "%row", "%j"]
        call = f"func.call @{self.name}({', '.join(values)}) : ({', '.join(type for _, type in parameters)}) -> {f}"
        self.lines.append(f"%max = scf.for %j = {zero} to {keys} step {one} iter_args(%m = {infinite}) -> {f} {{")
        largest = self.emit(f"arith.maximumf %m, {self.emit(call)} : {f}")
        self.lines += [f"scf.yield {largest} : {f}", "}"]
        empty = self.emit(f"arith.cmpf oeq, %max, {infinite} : {f}")
        shift = self.emit(f"arith.select {empty}, {none}, %max : {f}")
        hk = self.emit(f"arith.divui %h, {heads} : index")
        self.lines.append(f"%t:2 = scf.for %j = {zero} to {keys} step {one} iter_args(%l = {none}, %o = {none}) -> ({f}, {f}) {{")
        p = self.emit(f"math.exp {self.emit(f'arith.subf {self.emit(call)}, {shift} : {f}')} : {f}")
        v = self.read(m["v"], self.types["v"], "%b", hk, "%j", "%d")
        total = self.emit(f"arith.addf %l, {p} : {f}")
        output = self.emit(f"arith.addf %o, {self.emit(f'arith.mulf {p}, {v} : {f}')} : {f}")
        self.lines += [f"scf.yield {total}, {output} : {f}, {f}", "}"]
        divided = self.emit(f"arith.divf %t#1, %t#0 : {f}")
        result = self.emit(f"arith.select {empty}, {none}, {divided} : {f}")
        element = parse(m["type"])[1]
        if element != f:
            result = self.emit(f"arith.truncf {result} : {f} to {element}")
        self.lines += [f"tensor.yield {result} : {element}", f"}} : {m['type']}"]
        return "\n    ".join(self.lines)


def expand(module):
    functions = []

    def replace(match):
        expansion = Expansion(match, len(functions))
        text = expansion.expand()
        functions.append(expansion.functions)
        return text

    text = OP.sub(replace, module)
    assert functions and "flash." not in text, text
    return text.rstrip()[:-1] + "".join(functions) + "}\n"
