# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""compile(): code and decisions of every level."""

import os

import numpy as np
import pytest

import flash_mlir as fm
from flash_mlir import FlashError, Spec

SPEC = Spec((1, 8, 1024, 64), "bfloat16")


@pytest.fixture(scope="module")
def program():
    return fm.compile(SPEC, SPEC, SPEC, causal=True, target="sm_90a")


def test_levels(program):
    found = {level: program.mlir(level) for level in ("L0", "L1", "L2", "L3", "L4")}
    assert "flash.attention" in found["L0"] and "flash.online_attention" in found["L1"] and "flash.online_softmax" in found["L2"]
    assert "flash_tile." in found["L3"] and "wgmma" in found["L4"]
    with pytest.raises(FlashError, match="level: got 'L5', expected one of L0, L1"):
        program.mlir("L5")


def test_code(program):
    assert ".target sm_90a" in program.ptx and "wgmma.mma_async" in program.ptx
    assert "launch" in program.plan and "define" in program.llvm
    assert program.target == "sm_90a"
    assert program.schedule.startswith("#flash.schedule<") and program.schedules[-1][0] == program.schedule
    assert isinstance(program.remarks, list)
    with pytest.raises(FlashError, match="driver|GPU|CUDA|text"):
        program(np.zeros(3))


def has_assembler(program):
    return program.report["assembler"] != "driver"


def test_sass(program):
    from flash_mlir._compiled import find_tool
    if not has_assembler(program):
        pytest.skip("no assembler")
    assert program.cubin[:4] == b"\x7fELF"
    if not find_tool("nvdisasm", "FLASH_NVDISASM"):
        with pytest.raises(FlashError, match="nvidia-cuda-nvdisasm"):
            program.sass
        return
    assert "HGMMA" in program.sass


def find_nvjitlink():
    return next((p for n in (13, 12) if os.path.exists(p := f"/usr/local/cuda/lib64/libnvJitLink.so.{n}")), None)


def test_report_names_the_assembler(monkeypatch):
    q = Spec((1, 2, 64, 72), "float16")
    monkeypatch.setenv("FLASH_PTXAS", "")
    monkeypatch.setenv("FLASH_NVJITLINK", "")
    assert fm.compile(q, q, q, target="sm_80", softcap=5.0).report["assembler"] == "driver"
    library = find_nvjitlink()
    if library is None:
        pytest.skip("no libnvJitLink here")
    monkeypatch.setenv("FLASH_NVJITLINK", library)
    linked = fm.compile(q, q, q, target="sm_80", softcap=6.0)
    assert linked.report["assembler"] == f"nvJitLink {library}"
    assert "registers" in linked.report["assembler_log"] and "Potential Performance Loss" not in linked.report["assembler_log"]
    assert linked.cubin[:4] == b"\x7fELF"
    # Of a kernel with wgmma it would take the speed: that is the driver's.
    hopper = fm.compile(q, q, q, target="sm_90a", softcap=6.0)
    assert "wgmma" in hopper.ptx and hopper.report["assembler"] == "driver"
    with pytest.raises(FlashError, match="takes the speed of"):
        hopper.cubin


def test_io_report(program):
    report = program.io_report()
    assert report.compulsory == 4 * 8 * 1024 * 64 * 2
    assert report.compulsory <= report.moved <= report.unfused and "compulsory" in str(report)
    longer = program.io_report(*[Spec((1, 8, 4096, 64), "bfloat16")] * 3)
    assert longer.operations > 10 * report.operations


def test_roofline(program, tmp_path):
    roof = program.roofline(seconds=1e-4)
    assert roof.svg.startswith("<svg") and roof.svg.rstrip().endswith("</svg>") and roof._repr_svg_() == roof.svg
    assert [p.name for p in roof.points] == ["unfused", "this schedule, at most", "measured"]
    assert roof.points[0].intensity < roof.points[1].intensity and roof.points[1].speed <= roof.peak
    roof.save(tmp_path / "roof.svg")
    assert (tmp_path / "roof.svg").read_text() == roof.svg
    with pytest.raises(ValueError, match="ends in .svg"):
        roof.save(tmp_path / "roof.png")


def test_on_the_cpu(inputs):
    q, k, v = inputs()
    program = fm.compile(q, k, v, causal=True, return_lse=True)
    assert program.target == "cpu"
    o, lse = program(q, k, v)
    expected = fm.attention(q, k, v, causal=True, return_lse=True)
    np.testing.assert_array_equal(o, expected[0])
    np.testing.assert_array_equal(lse, expected[1])
    longer = inputs(sq=90, sk=90)
    np.testing.assert_array_equal(program(*longer)[0], fm.attention(*longer, causal=True))
    with pytest.raises(FlashError, match="has no level L3; it has L0, L1, L2, L4"):
        program.mlir("L3")
    with pytest.raises(FlashError, match="the target cpu has no ptx"):
        program.ptx
    assert program.roofline(peak=1e11, bandwidth=1e10).machine == "given"


OPTIONS = {
    "plain": {}, "lse": {"return_lse": True}, "causal bshd": {"causal": True, "layout": "bshd"}, "window": {"window": (100, 0)},
    "scores": {"softcap": 20.0, "alibi_slopes": Spec((4,)), "bias": Spec((1, 4, 256, 256), "bfloat16")},
    "sinks": {"sinks": Spec((4,)), "causal": True}, "segments": {"segment_ids": Spec((2, 256), "int32"), "causal": True},
    "dropout": {"dropout_p": 0.1}, "lengths": {"kv_lengths": Spec((2,), "int32"), "causal": True},
    "pages": {"kv_lengths": Spec((2,), "int32"), "page_table": Spec((2, 16), "int32")},
    "ragged": {"cu_seqlens_q": Spec((9,), "int32"), "causal": True},
    "functions": {"causal": True, "mask_mod": lambda b, h, q, kv: (q + kv) % 2 == 0, "score_mod": lambda s, b, h, q, kv: s * (1 + h)},
}


@pytest.mark.parametrize("target", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("name", OPTIONS)
def test_options_compile_for_gpus(monkeypatch, name, target):
    monkeypatch.setenv("FLASH_PTXAS", "")
    monkeypatch.setenv("FLASH_NVJITLINK", "")
    shape = (1 if name == "ragged" else 2, 4, 256, 64)
    q = Spec(shape if name != "causal bshd" else (2, 256, 4, 64), "bfloat16")
    k = Spec((64, 4, 16, 64), "bfloat16") if name == "pages" else q
    program = fm.compile(q, k, k, target=target, **OPTIONS[name])
    assert ".entry" in program.ptx and program.report["assembler"] == "driver"


def test_a_text(inputs):
    q, _, _ = inputs(h=2, d=16)
    text = """
    func.func @f(%q: tensor<?x2x?x16xf32>, %n: index, %x: f32) -> tensor<?x2x?x16xf32> {
      %o = flash.attention %q, %q, %q q_offset(%n) captures(%x : f32) {mask = #flash.causal} score {
      ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
        %r = arith.mulf %s, %y : f32
        flash.yield %r : f32
      } : tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32>, tensor<?x2x?x16xf32> -> tensor<?x2x?x16xf32>
      return %o : tensor<?x2x?x16xf32>
    }"""
    program = fm.compile(text, target="cpu")
    out = np.empty_like(q)
    assert program.function.result_shapes([q, 3, 0.5]) == [q.shape]
    assert program.function.workspace_size([q, 3, 0.5]) == 0
    program.function.launch([q, 3, 0.5], [out])
    np.testing.assert_allclose(out, fm.attention(q, q, q, scale=0.125, mask_mod=lambda b, h, i, j: i + 3 >= j), rtol=1e-5, atol=1e-6)
    views = q.swapaxes(1, 2).copy().swapaxes(1, 2)
    strided = np.empty((2, 70, 2, 16), "float32").swapaxes(1, 2)
    program.function.launch([views, 3, 0.5], [strided])
    np.testing.assert_array_equal(out, strided)
    with pytest.raises(FlashError, match="arguments: got 1, expected 3"):
        program.function.launch([q], [out])
    with pytest.raises(FlashError, match="no elements"):
        program.function.launch([Spec(q.shape), 3, 0.5], [out])


def test_a_program_from_a_file(tmp_path, program):
    import subprocess
    import sys
    path = tmp_path / "f.mlir"
    path.write_text(program.text)
    done = subprocess.run([sys.executable, "-m", "flash_mlir._tools", "flash-run", str(path), "--target=sm_90a", "--emit=program", "-o",
                           str(tmp_path / "f.flash")], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == 0, done.stderr
    loaded = fm.load_program(tmp_path / "f.flash")
    assert [a.name for a in loaded.arguments] == ["query", "key", "value"]
    with pytest.raises(FlashError, match="cannot be read"):
        fm.load_program(tmp_path / "none.flash")
