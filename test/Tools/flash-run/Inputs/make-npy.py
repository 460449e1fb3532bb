"""make-npy.py FILE DESCR SHAPE [I]: writes small numbers in NumPy's format, without NumPy; element I is a NaN. Of b1, every other row is false."""
import struct
import sys

path, descr, shape = sys.argv[1], sys.argv[2], tuple(int(n) for n in sys.argv[3].split(","))
nan = int(sys.argv[4]) if len(sys.argv) > 4 else -1
count = 1
for size in shape:
    count *= size
header = str({"descr": ("|" if descr == "b1" else "<") + descr, "fortran_order": False, "shape": shape})
header += " " * (-(10 + len(header) + 1) % 64) + "\n"
code = {"f4": "f", "f2": "e", "f8": "d", "b1": "?"}[descr]


def number(i):
    if descr == "b1":
        return i // shape[-1] % 2 == 1 and i * 7 % 13 < 6
    return float("nan") if i == nan else (i * 7 % 13 - 6) / 8


with open(path, "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    file.write(struct.pack(f"<{count}{code}", *map(number, range(count))))
