#!/usr/bin/env python3
"""interfaces.py SOURCE: what documents say that an interface asks is what it asks.

The tables of docs/AddAMask.md and docs/AddAnInstruction.md name each method of the interface once, and no other.
"""

import os
import re
import sys

SOURCE = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(SOURCE, "scripts"))
import json  # noqa: E402

import reference  # noqa: E402

INTERFACES = [
    ("AddAMask.md", "include/flash/Dialect/Flash/IR/MaskInterface.td", "MaskAttrInterface"),
    ("AddAnInstruction.md", "include/flash/Dialect/Tile/IR/TileInterfaces.td", "FlashTile_InstructionAttrInterface"),
]


def main():
    problems = 0
    for document, path, interface in INTERFACES:
        records = json.loads(reference.tablegen("llvm-tblgen", path, "--dump-json"))
        asked = [records[method["def"]]["name"] for method in records[interface]["methods"]]
        with open(os.path.join(SOURCE, "docs", document), encoding="utf-8") as file:
            text = file.read()
        cells = re.findall(r"^\| (`[^|]*`) \|", text, re.M)
        named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
        for name in sorted(set(asked) ^ set(named)):
            problems += 1
            print(f"{document}: " + (f"says nothing of {interface}'s {name}" if name in asked else f"{interface} has no {name}"))
        print(f"{document}: {len(asked)} methods")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
