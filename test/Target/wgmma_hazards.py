#!/usr/bin/env python3
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Finds registers of a wgmma in flight that other instructions write, in SASS.

Some assemblers are reported to reuse the registers that hold A before an
asynchronous register-A wgmma has read them (triton #11781, fla #1262). This
reads what `nvdisasm -c` prints, follows every path through the kernel and
reports each write to an A or accumulator register between an HGMMA and the
WARPGROUP.DEPBAR that waits for its group.

    nvdisasm -c kernel.cubin | wgmma_hazards.py      (or: wgmma_hazards.py FILE...)

Prints one line a hazard and a summary; exits with 1 if there is a hazard.
"""

import re
import sys
from dataclasses import dataclass, field

LABEL = re.compile(r"^\s*(\.L_x?_?\w+|\.text\.\S+):")
INSTRUCTION = re.compile(r"/\*([0-9a-f]+)\*/\s+(?:(@!?U?P[T\d]+)\s+)?([A-Z][\w.]*)\s*([^;]*);")
HGMMA = re.compile(r"\.(\d+)x(\d+)x\d+")
# Instructions whose first operand is not a destination.
NO_DESTINATION = ("ST", "RED", "BRA", "BAR", "EXIT", "NOP", "MEMBAR", "WARPGROUP", "SYNCS.ARRIVE", "UTMA", "CALL", "RET", "BSSY", "BSYNC",
                  "WARPSYNC", "DEPBAR", "ERRBAR", "CCTL", "FENCE", "USETMAXREG", "UBLKCP", "LDGSTS", "LDGDEPBAR", "ARRIVES", "NANOSLEEP",
                  "HGMMA", "QGMMA", "YIELD", "BREAK")


@dataclass
class Instruction:
    address: int
    predicate: str
    opcode: str
    operands: list
    text: str


@dataclass
class Block:
    label: str
    instructions: list = field(default_factory=list)
    successors: list = field(default_factory=list)


def parse_blocks(lines):
    """Basic blocks of one kernel, in order."""
    blocks = [Block("entry")]
    for line in lines:
        if match := LABEL.match(line):
            blocks.append(Block(match[1]))
        elif match := INSTRUCTION.search(line):
            operands = [part.strip() for part in match[4].split(",")] if match[4].strip() else []
            blocks[-1].instructions.append(Instruction(int(match[1], 16), match[2] or "", match[3], operands, match[0]))
            if match[3].split(".")[0] in ("BRA", "EXIT", "RET", "BREAK"):
                blocks.append(Block(""))
    by_label = {block.label: index for index, block in enumerate(blocks) if block.label}
    for index, block in enumerate(blocks):
        falls_through = True
        if block.instructions:
            last = block.instructions[-1]
            base = last.opcode.split(".")[0]
            if base == "BRA":
                target = re.search(r"\.L_x?_?\w+", last.text)
                if target and target[0] in by_label:
                    block.successors.append(by_label[target[0]])
                falls_through = bool(last.predicate) or any(re.match(r"!?U?P\d", op) for op in last.operands)
            elif base in ("EXIT", "RET"):
                falls_through = bool(last.predicate)
        if falls_through and index + 1 < len(blocks):
            block.successors.append(index + 1)
    return blocks


def written_registers(instruction):
    """Numbers of the registers that an instruction other than HGMMA writes."""
    if instruction.opcode.startswith(NO_DESTINATION) or not instruction.operands:
        return ()
    for operand in instruction.operands[:2]:  # a predicate may come before
        if match := re.fullmatch(r"R(\d+)", operand.split(".")[0]):
            count = 1
            if ".128" in instruction.opcode or instruction.opcode.endswith(".4"):
                count = 4
            elif ".64" in instruction.opcode or ".WIDE" in instruction.opcode or instruction.opcode.endswith(".2"):
                count = 2
            return range(int(match[1]), int(match[1]) + count)
        if not re.fullmatch(r"!?P[T\d]+", operand):
            break
    return ()


def hgmma_registers(instruction):
    """Registers of accumulator and A."""
    rows, columns = map(int, HGMMA.search(instruction.opcode).groups())
    first = int(re.match(r"R(\d+)", instruction.operands[0])[1])
    accumulator = set(range(first, first + rows * columns // 128))
    a = re.fullmatch(r"R(\d+)(\.reuse)?", instruction.operands[1])
    return accumulator, set(range(int(a[1]), int(a[1]) + 4)) if a else set()


def step(instruction, state, report):
    """State: a tuple of groups in flight, oldest first, the last one open; each a frozenset of registers."""
    if instruction.opcode.startswith(("HGMMA", "QGMMA")):
        accumulator, a = hgmma_registers(instruction)
        state = state[:-1] + (state[-1] | accumulator | a,)
        if any(operand.startswith("gsb") for operand in instruction.operands):
            state = state + (frozenset(),)
        return state
    if instruction.opcode.startswith("WARPGROUP.DEPBAR"):
        pending = int(instruction.operands[-1], 16)
        closed = state[:-1]
        return closed[len(closed) - pending if pending < len(closed) else 0:] + (state[-1],)
    if instruction.opcode.startswith("WARPGROUP.ARRIVE"):
        return state
    in_flight = frozenset().union(*state)
    for register in written_registers(instruction):
        if register in in_flight:
            report(instruction, register)
    return state


def find_hazards(lines):
    """Pairs (instruction, register), each once; and how many HGMMA were seen."""
    blocks = parse_blocks(lines)
    hazards = {}
    seen = [set() for _ in blocks]
    work = [(0, (frozenset(),))]
    while work:
        index, state = work.pop()
        if state in seen[index]:
            continue
        seen[index].add(state)
        for instruction in blocks[index].instructions:
            state = step(instruction, state, lambda i, r: hazards.setdefault((i.address, r), i))
        work.extend((successor, state) for successor in blocks[index].successors)
    count = sum(i.opcode.startswith(("HGMMA", "QGMMA")) for block in blocks for i in block.instructions)
    return hazards, count


def split_kernels(text):
    """Name and lines of each kernel of a disassembly."""
    name, lines = "kernel", []
    for line in text.splitlines():
        if match := re.match(r"\s*\.section\s+\.text\.([^,\s]+)", line):
            if lines:
                yield name, lines
            name, lines = match[1], []
        lines.append(line)
    yield name, lines


def main(paths):
    texts = [open(path).read() for path in paths] or [sys.stdin.read()]
    failed = False
    for text in texts:
        for name, lines in split_kernels(text):
            hazards, count = find_hazards(lines)
            if not count:
                continue
            for (address, register), instruction in sorted(hazards.items()):
                print(f"{name}: R{register} of a wgmma in flight is written at {address:#x}: {instruction.text}")
            print(f"{name}: {count} wgmma, {len(hazards)} hazards")
            failed |= bool(hazards)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
