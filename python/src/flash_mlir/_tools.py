# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`flash-opt` and `flash-run` on the path: launchers of what is in the wheel's library.

With the library of a build tree, which has no tools in it, the tree's own are run.
"""

from __future__ import annotations

import ctypes
import os
import sys

from . import _library
from ._errors import FlashError


def run(name: str, entry: str, arguments: list[str]) -> int:
    """Calls the tool in this process, or becomes the one of the build tree.

    Raises:
        FlashError: there is neither.
    """
    path = _library.find()
    library = ctypes.CDLL(path)
    main = getattr(library, entry, None)
    if main is None:
        tool = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(path))), "bin", name)
        if not os.access(tool, os.X_OK):
            raise FlashError(f"{path} has no {name} in it, and {tool} does not exist: build it")
        sys.stdout.flush()
        os.execv(tool, [tool, *arguments])
    words = [name, *arguments]
    main.restype, main.argtypes = ctypes.c_int, [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    return main(len(words), (ctypes.c_char_p * (len(words) + 1))(*map(os.fsencode, words), None))


def flash_opt() -> None:
    """The command `flash-opt`: runs passes on a file."""
    sys.exit(run("flash-opt", "flashOptMain", sys.argv[1:]))


def flash_run() -> None:
    """The command `flash-run`: compiles, runs and checks a file."""
    sys.exit(run("flash-run", "flashRunMain", sys.argv[1:]))


if __name__ == "__main__":
    tool = sys.argv[1] if len(sys.argv) > 1 else ""
    if tool not in ("flash-opt", "flash-run"):
        sys.exit("python -m flash_mlir._tools flash-opt|flash-run ARGUMENTS")
    sys.exit(run(tool, {"flash-opt": "flashOptMain", "flash-run": "flashRunMain"}[tool], sys.argv[2:]))
