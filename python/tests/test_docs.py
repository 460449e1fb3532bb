# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Documentation is run as it stands, and the reference is that of the docstrings."""

import os
import re
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def blocks(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S):
        yield text[:match.start()].count("\n") + 1, match[1]


@pytest.mark.parametrize("path", ["docs/PythonTutorial.md", "docs/Python.md", "python/README.md", "README.md"])
def test_documentation_runs(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found, names = list(blocks(path)), {}
    assert found
    for line, code in found:
        exec(compile("\n" * line + code, os.path.join(ROOT, path), "exec"), names)


def test_the_reference_is_up_to_date():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "python", "reference.py")], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr
    with open(os.path.join(ROOT, "docs", "PythonReference.md"), encoding="utf-8") as file:
        assert file.read() == done.stdout, "run: PYTHONPATH=python/src python3 python/reference.py > docs/PythonReference.md"


def test_everything_public_is_documented():
    import inspect

    import flash_mlir
    for name in flash_mlir.__all__:
        thing = getattr(flash_mlir, name)
        assert inspect.getdoc(thing), name
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{member}"
