# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A function is there before its last kernel is assembled: a launch waits for its own, and the cache for all.

ptxas is a script here. It "assembles" at once, but for the kernel of long sequences, for which it waits for a file."""

import os
import subprocess
import sys

import pytest

PTXAS = r"""#!/bin/sh
for last; do :; done
while [ $# -gt 1 ]; do [ "$1" = -o ] && output=$2; shift; done
if grep -q "\.entry attention_0" "$last"; then
  left=4000
  while [ ! -e "$FOLDER/go" ] && [ ! -e "$FOLDER/fail" ] && [ $((left -= 1)) -gt 0 ]; do sleep 0.05; done
  if [ -e "$FOLDER/fail" ]; then echo "the kernel of long sequences is too long" >&2; exit 1; fi
fi
printf '\177ELF of %s' "$last" > "$output"
"""

CHILD = """
import os, pathlib, sys
import numpy as np
from flash_mlir._function import compile_text
from null_arrays import ndarray

TEXT = '''
func.func @attention(%q: tensor<?x4x?x128xf16>, %k: tensor<?x4x?x128xf16>, %v: tensor<?x4x?x128xf16>) -> tensor<?x4x?x128xf16> {
  %o = flash.attention %q, %k, %v {mask = #flash.causal}
    : tensor<?x4x?x128xf16>, tensor<?x4x?x128xf16>, tensor<?x4x?x128xf16> -> tensor<?x4x?x128xf16>
  return %o : tensor<?x4x?x128xf16>
}'''
FOLDER = pathlib.Path(os.environ["FOLDER"])

def compile():
    return compile_text(TEXT, "sm_90a")

def launch(function, length):
    q, k, v, o = (ndarray((1, 4, length, 128), np.dtype("float16")) for _ in range(4))
    function.launch([q, k, v], [o])

def entries():
    return sorted(p.name for p in (FOLDER / "cache").glob("*"))
"""


@pytest.fixture
def child(tmp_path, null_cuda):
    """Runs lines of Python after CHILD's in a process of their own; what they print."""
    ptxas = tmp_path / "ptxas"
    ptxas.write_text(PTXAS)
    ptxas.chmod(0o755)
    environment = {**os.environ, "LD_LIBRARY_PATH": null_cuda, "FLASH_PTXAS": str(ptxas), "FLASH_CACHE_DIR": str(tmp_path / "cache"),
                   "FOLDER": str(tmp_path), "FLASH_PROGRESS": "0", "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}

    def run(lines):
        done = subprocess.run([sys.executable, "-c", CHILD + lines], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_a_launch_waits_for_its_own_kernel(child):
    child("""
function = compile()
launch(function, 100)
assert entries() == []
(FOLDER / "go").touch()
launch(function, 10000)
assert function.report()["compile_ms"]["ptxas"] > 0
assert len(entries()) == 1
again = compile()
launch(again, 10000)
assert again.report()["from_cache"]
""")


def test_a_second_compile_waits_for_the_first(child):
    child("""
import threading
first = compile()
threading.Timer(0.2, (FOLDER / "go").touch).start()
assert compile().report()["from_cache"]
""")


def test_a_function_that_is_gone_fills_the_cache_at_exit(child):
    child("""
compile()
(FOLDER / "go").touch()
""")
    assert child("print(compile().report()['from_cache'], len(entries()))") == ["True", "1"]


def test_a_process_that_dies_leaves_no_entry(child):
    child("""
function = compile()
launch(function, 100)
os._exit(0)
""")
    assert child("""
assert entries() == []
(FOLDER / "go").touch()
report = compile().report()
print(report["from_cache"], len(entries()))
""") == ["False", "1"]


def test_what_the_assembler_finds_is_the_error_of_its_launches(child):
    child("""
from flash_mlir import FlashError
function = compile()
launch(function, 100)
(FOLDER / "fail").touch()
for call in (lambda: launch(function, 10000), function.prepare, function.report, lambda: function.code("program")):
    try:
        call()
    except FlashError as error:
        assert "the kernel of long sequences is too long" in str(error), error
    else:
        raise AssertionError("no error")
launch(function, 100)
assert entries() == []
""")


def test_a_forked_process_needs_no_thread_of_its_parent(child):
    child("""
function = compile()
launch(function, 100)
process = os.fork()
if process == 0:
    (FOLDER / "go").touch()
    launch(function, 10000)
    sys.exit(0)
assert os.waitpid(process, 0)[1] == 0
""")
