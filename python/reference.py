#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Prints docs/PythonReference.md: signatures and docstrings of the package.

    PYTHONPATH=python/src python3 python/reference.py > docs/PythonReference.md
"""

import inspect
import re

import flash_mlir

ORDER = ("attention", "compile", "Program", "IOReport", "Roofline", "Spec", "Function", "ValueInfo", "load_program", "manual_seed", "set_num_threads",
         "FlashError", "ArgumentError", "TraceError")


def signature(thing):
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(thing))).replace("flash_mlir._", "")
    return re.sub(r"\b(arrays|roofline|compiled|function|errors|library)\.", "", re.sub(r"self, |self", "", text))


def body(thing):
    return inspect.getdoc(thing) or ""


def described(text):
    """Google's sections as lists."""
    lines, out, inside, code = text.split("\n"), [], False, False
    for line in lines:
        indented = line.startswith("    ")
        if re.fullmatch(r"(Args|Returns|Raises|Attributes):", line):
            inside = True
            if code:
                out.insert(len(out) - (1 if out[-1] == "" else 0), "```")
                code = False
            out += [f"**{line[:-1]}**", ""]
            continue
        if not inside:
            if indented and not code and line.strip():
                out.append("```text")
                code = True
            elif code and not indented and line.strip():
                out.insert(len(out) - (1 if out[-1] == "" else 0), "```")
                code = False
            out.append(line[4:] if code else line)
        elif not line.strip():
            inside = False
            out.append("")
        else:
            entry = re.match(r"    (\S[^:]*): (.*)", line)
            if entry and not line.startswith("     "):
                out.append(f"- `{entry[1]}`: {entry[2]}")
            else:
                out.append(("  " if out[-1].startswith(("-", "  ")) else "") + line.strip())
    if code:
        out.append("```")
    return "\n".join(out)


def members(kind):
    for name, member in vars(kind).items():
        if name.startswith("_") and name != "__call__":
            continue
        if isinstance(member, property):
            yield f"#### `{name}`", member.fget
        elif inspect.isfunction(member):
            yield f"#### `{name}{signature(member)}`" if name != "__call__" else f"#### `(...)` `{signature(member)}`", member


def main():
    print("# flash_mlir: reference\n\nMade of the docstrings by `python/reference.py`; [Python.md](Python.md) explains, "
          "[PythonTutorial.md](PythonTutorial.md) shows.\n")
    for name in ORDER:
        thing = getattr(flash_mlir, name)
        print(f"## `{name}{signature(thing) if not issubclass_error(thing) else ''}`\n\n{described(body(thing))}\n")
        if inspect.isclass(thing) and not issubclass_error(thing):
            for title, member in members(thing):
                if body(member):
                    print(f"{title}\n\n{described(body(member))}\n")
    names = sorted(set(flash_mlir.__all__) - set(ORDER))
    print("## Functions for score and mask functions\n\nOf traced values, of rows, and of numbers. NumPy's and PyTorch's of the same names do the same.\n")
    print("| | |\n|---|---|")
    for name in names:
        print(f"| `{name}` | {(body(getattr(flash_mlir, name)).split(chr(10))[0]).replace('|', chr(92) + '|')} |")


def issubclass_error(thing):
    return inspect.isclass(thing) and issubclass(thing, Exception)


if __name__ == "__main__":
    main()
