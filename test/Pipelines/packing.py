"""Fails where more than a fifth of the operations of kernels at L4 (standard input) are packing."""
import re
import sys

operations = re.findall(r"(?:^| = )\s*\"?([a-z_]+\.[a-z_.0-9]+)", sys.stdin.read(), re.MULTILINE)
kernels = [name for name in operations if name.split(".")[0] in ("llvm", "nvvm", "flash_tile")]
packing = [name for name in kernels if re.fullmatch(r"llvm\.(insert|extract)(element|value)", name)]
print(len(packing), "of", len(kernels))
sys.exit(len(kernels) < 100 or 5 * len(packing) > len(kernels))
