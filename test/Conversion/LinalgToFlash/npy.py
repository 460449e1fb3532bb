"""NumPy's files, without NumPy: `write(path, element, shape, numbers)` and `read(path)`; element types are named as in MLIR."""

import ast
import struct

# Name, descr and code of struct. Of bf16, the upper half of an f32.
TYPES = [("f32", "<f4", "f"), ("f64", "<f8", "d"), ("f16", "<f2", "e"), ("bf16", "<V2", "H"), ("i1", "|b1", "?"), ("i8", "|i1", "b"),
         ("i32", "<i4", "i"), ("i64", "<i8", "q")]


def to_bf16(number):
    bits, = struct.unpack("<I", struct.pack("<f", number))
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16


def from_bf16(bits):
    return struct.unpack("<f", struct.pack("<I", bits << 16))[0]


def write(path, element, shape, numbers):
    descr, code = next((descr, code) for name, descr, code in TYPES if name == element)
    if element == "bf16":
        numbers = map(to_bf16, numbers)
    numbers = list(numbers)
    header = str({"descr": descr, "fortran_order": False, "shape": tuple(shape)})
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(numbers)}{code}", *numbers))


def read(path):
    """The numbers, in order."""
    with open(path, "rb") as file:
        data = file.read()
    size, = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10:10 + size].decode())
    name, code = next((name, code) for name, descr, code in TYPES if descr == header["descr"])
    count = (len(data) - 10 - size) // struct.calcsize("<" + code)
    numbers = struct.unpack(f"<{count}{code}", data[10 + size:])
    return [from_bf16(bits) for bits in numbers] if name == "bf16" else list(map(float, numbers))
