# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calls of PyTorch's tensors that were made before: right, and one call of the library (lib/CAPI/PythonCall.cpp).

The checks are in shortcut_checks.py. Each has a process of its own, for PyTorch's tensors or for those of a stand-in.
"""

import importlib.util
import os
import subprocess
import sys

import pytest
import shortcut_checks

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKS = [name for name in vars(shortcut_checks) if name.startswith("check_")]


def run(library, check, **environment):
    done = subprocess.run([sys.executable, os.path.join(HERE, "shortcut_checks.py"), library, check], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("check", [name for name in CHECKS if "device" not in name])
@pytest.mark.parametrize("library", ["torch", "stand-in"])
def test_on_the_host(library, check):
    if library == "torch" and (check == "check_without" or importlib.util.find_spec("torch") is None):
        pytest.skip("no such PyTorch")
    run(library, check)


@pytest.mark.parametrize("check", [name for name in CHECKS if "device" in name])
def test_on_a_device_that_does_nothing(null_cuda, check):
    run("stand-in", check, LD_LIBRARY_PATH=null_cuda)
