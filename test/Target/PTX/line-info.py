#!/usr/bin/env python3
"""Looks at the lines of the program at L2 that code names.

    line-info.py same PLAIN.ptx WITH.ptx          whether the code is the same but for its lines
    line-info.py lines L2.mlir CODE PATTERN...    for each pattern of an instruction, what most of those instructions are of

CODE is PTX, or what `nvdisasm -g` prints.
"""

import collections
import re
import sys


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def code(text):
    """The text without lines, labels of lines, and comments."""
    text = re.sub(r"^\t\.(loc|file|section\t\.debug_macinfo).*\n", "", text, flags=re.M)
    text = re.sub(r"^\$L__(tmp|func_begin|func_end)\w*:\n", "", text, flags=re.M)
    return re.sub(r"[ \t]*//.*", "", text)


def operations(program, text, pattern):
    """How many of the instructions are of a line with each operation."""
    lines, at, found = program.split("\n"), None, collections.Counter()
    for line in text.split("\n"):
        if here := re.search(r'^\t\.loc\t\d+ (\d+)|//## File ".*", line (\d+)', line):
            at = int(here[1] or here[2])
        elif re.search(pattern, line) and at:
            operation = re.match(r"\s*(?:%[\w:, %]+ = )?([\w.]+)", lines[at - 1])
            found[operation[1] if operation else "?"] += 1
    return found


def main():
    if sys.argv[1] == "same":
        same = code(read(sys.argv[2])).strip() == code(read(sys.argv[3])).strip()
        print("the same" if same else "different")
        return 0 if same else 1
    program, text = read(sys.argv[2]), read(sys.argv[3])
    for pattern in sys.argv[4:]:
        found = operations(program, text, pattern)
        total = sum(found.values())
        print(f"{pattern}: " + ", ".join(f"{name} {100 * count // total} %" for name, count in found.most_common(2)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
