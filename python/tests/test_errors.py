# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Errors name the argument, what was got and what is expected; nothing falls back silently."""

import os
import subprocess
import sys

import numpy as np
import pytest

from flash_mlir import ArgumentError, FlashError, Spec, attention, compile


def case(name, got, expected, **changes):
    return pytest.param(changes, f"{name}: got {got}, expected {expected}", id=f"{name} {got[:30]}")


def array(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


CASES = [
    case("q", "shape \\(70, 32\\)", "4 dimensions", q=array(70, 32)),
    case("k", "head dim 16 \\(shape \\(2, 2, 70, 16\\)\\)", "32, that of q", k=array(2, 2, 70, 16)),
    case("k", "batch 3", "2, that of q", k=array(3, 2, 70, 32)),
    case("k", "3 heads", "a number that divides the 4 heads of q", k=array(2, 3, 70, 32), v=array(2, 3, 70, 32)),
    case("v", "shape \\(2, 2, 60, 32\\)", "batch, heads and length of k", v=array(2, 2, 60, 32)),
    case("k", "f16", "f32, the type of q", k=array(2, 2, 70, 32, dtype="float16")),
    case("q", "i32", "one of f32, f16, bf16, f64", q=array(2, 4, 70, 32, dtype="int32")),
    case("q", "list", "an array of NumPy", q=[1, 2]),
    case("v", "strides \\(4480, 2240, 1, 70\\) \\(in elements\\)", "a last dimension that is contiguous", v=array(2, 2, 32, 70).swapaxes(2, 3)),
    case("q", "there is no element type dtype\\('complex64'\\).*", "an array that a kernel can read", q=array(2, 4, 70, 32, dtype="complex64")),
    case("q", "elements of type dtype\\('>f4'\\) have another order.*", "an array", q=array(2, 4, 70, 32, dtype=">f4")),
    case("q", "strides .* are no multiples.*", "an array", q=np.zeros((2, 4, 70, 32), [("a", "f4"), ("b", "i1")])["a"]),
    case("layout", "'sbhd'", "'bhsd'", layout="sbhd"),
    case("window", "5", "\\(left, right\\)", window=5),
    case("window", "\\(-2, 0\\)", "\\(left, right\\)", window=(-2, 0)),
    case("scale", "'x'", "a number", scale="x"),
    case("softcap", "-1.0", "a number from", softcap=-1.0),
    case("dropout_p", "1.5", "a number from 0 to 1", dropout_p=1.5),
    case("dropout_p", "1", "less than 1", dropout_p=1),
    case("alibi_slopes", "shape \\(3,\\)", "\\(4\\)", alibi_slopes=array(3)),
    case("sinks", "shape \\(2, 4\\)", "1 dimension", sinks=array(2, 4)),
    case("bias", "shape \\(2, 4, 70, 71\\)", "\\(batch, heads, queries, keys\\) = \\(2, 4, 70, 70\\)", bias=array(2, 4, 70, 71)),
    case("bias", "i1", "floats, which are added to the scores; of a boolean mask make mask_mod", bias=array(70, 70, dtype="bool")),
    case("segment_ids", "shape \\(3, 70\\)", "\\(2, 70\\) or \\(70,\\)", segment_ids=array(3, 70, dtype="int32")),
    case("segment_ids", "float32", "integers", segment_ids=array(70)),
    case("kv_lengths", "shape \\(3,\\)", "\\(2\\)", kv_lengths=array(3, dtype="int32")),
    case("kv_lengths", "numbers from 0 to 4294967296", "numbers of 32 bits", kv_lengths=np.array([0, 1 << 32])),
    case("page_table", "shape \\(2,\\)", "2 dimensions", page_table=array(2, dtype="int32")),
    case("cu_seqlens_q", "None", "where sequences of queries begin", cu_seqlens_k=array(3, dtype="int32")),
    case("q", "batch 2", "1: with cu_seqlens_q", cu_seqlens_q=array(3, dtype="int32")),
    case("score_mod", "int", "a function", score_mod=3),
    case("block_mask", "object without kv_num_blocks, kv_indices, BLOCK_SIZE", "FlexAttention's BlockMask", block_mask=object()),
]


@pytest.mark.parametrize("changes,message", CASES)
def test_argument(inputs, changes, message):
    q, k, v = inputs()
    given = {"q": q, "k": k, "v": v, **changes}
    with pytest.raises(ArgumentError, match=message) as caught:
        attention(given.pop("q"), given.pop("k"), given.pop("v"), **given)
    assert isinstance(caught.value, FlashError) and isinstance(caught.value, ValueError)


def test_a_refused_call_leaves_no_trace(inputs):
    q, k, v = inputs()
    with pytest.raises(ArgumentError):
        attention(q, k, v[:, :, :5])
    attention(q, k, v)


def test_what_a_target_cannot_do_is_an_error():
    q = Spec((1, 2, 64, 64))
    with pytest.raises(FlashError, match="f32"):
        compile(q, q, q, target="sm_90a")
    with pytest.raises(FlashError, match="unknown|no target|target"):
        compile(q, q, q, target="sm_1")
    with pytest.raises(ArgumentError, match="colour: got an option, expected one of causal"):
        compile(q, q, q, colour="red")
    with pytest.raises(ArgumentError, match="k: got None"):
        compile(q)


def test_errors_of_a_text_have_line_and_column():
    with pytest.raises(FlashError, match="program:1:"):
        compile("func.func @f( { }", target="cpu")


def test_no_library():
    code = "import flash_mlir\ntry: flash_mlir.set_num_threads(1)\nexcept flash_mlir.FlashError as error: print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "FLASH_LIBRARY": "/nowhere/libflash-c.so", "PYTHONPATH": os.pathsep.join(sys.path)})
    assert "FLASH_LIBRARY names /nowhere/libflash-c.so, which does not exist" in done.stdout


def test_tools_of_wheels_are_found(tmp_path, monkeypatch):
    from flash_mlir import _library
    for name in ("nvidia/cu13/bin/ptxas", "nvidia/cu13/lib/libnvJitLink.so.13"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.syspath_prepend(tmp_path)
    said = []

    class Library:
        @staticmethod
        def flashSetToolPath(tool, path):
            said.append((tool.decode(), path.decode()))

    _library._name_tools(Library)
    assert said == [("ptxas", str(tmp_path / "nvidia/cu13/bin/ptxas")), ("nvJitLink", str(tmp_path / "nvidia/cu13/lib/libnvJitLink.so.13"))]


def test_progress_is_told_after_a_while(capsys, monkeypatch):
    import time

    from flash_mlir._function import progress
    monkeypatch.delenv("FLASH_PROGRESS", raising=False)
    with progress("compiling a song", patience=0.05):
        time.sleep(0.3)
    assert "flash_mlir: compiling a song (the next time it comes from the cache)" in capsys.readouterr().err
    with progress("compiling a note"):
        pass
    monkeypatch.setenv("FLASH_PROGRESS", "0")
    with progress("compiling a song", patience=0.05):
        time.sleep(0.3)
    assert capsys.readouterr().err == ""
