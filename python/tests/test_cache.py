# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cache on disk, seen from processes: fast on a hit, right whatever happens to its files."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time

import pytest

# Prints the milliseconds from the first line to the first result, whether it came from the cache, and a sum of the result.
CHILD = """
import json, resource, sys, time
import numpy as np
import flash_mlir
limit = int(sys.argv[1])
if limit >= 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
flash_mlir.set_num_threads(1)
q = np.linspace(-1, 1, 4 * 33 * 48, dtype="float32").reshape(1, 4, 33, 48)
begin = time.perf_counter()
o = flash_mlir.attention(q, q, q, causal=True, score_mod=lambda s, b, h, i, j: s - 0.1 * h * (i - j))
first = time.perf_counter() - begin
from flash_mlir import _plan
report = next(iter(_plan._functions.values())).report()
print(json.dumps({"ms": 1e3 * first, "cached": report["from_cache"], "sum": float(np.abs(o).sum())}))
"""


def start(folder, limit=-1, **variables):
    environment = {**os.environ, "FLASH_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path), "FLASH_PROGRESS": "0", **variables}
    return subprocess.Popen([sys.executable, "-c", CHILD, str(limit)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return json.loads(out)


def run(folder, limit=-1, **variables):
    return finish(start(folder, limit, **variables))


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    return run(tmp_path_factory.mktemp("right"))["sum"]


def files(folder):
    return sorted(p for p in folder.iterdir() if p.suffix == ".flash")


def test_a_second_run_is_20_times_faster_to_its_first_launch(tmp_path, right):
    folder = tmp_path / "cache"
    first = run(folder)
    again = [run(folder) for _ in range(5)]
    assert not first["cached"] and all(r["cached"] for r in again)
    assert all(r["sum"] == right for r in [first, *again])
    assert folder.stat().st_mode & 0o777 == 0o700
    fast = statistics.median(r["ms"] for r in again)
    print(f"first {first['ms']:.0f} ms, again {fast:.1f} ms")
    assert first["ms"] > 20 * fast


def test_eight_processes_on_one_cache(tmp_path, right):
    results = [finish(p) for p in [start(tmp_path) for _ in range(8)]]
    assert all(r["sum"] == right for r in results)
    assert len(files(tmp_path)) == 1 and not [p for p in tmp_path.iterdir() if p.suffix != ".flash"]
    assert run(tmp_path)["cached"]


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "flipped in the head", "appended"])
def test_damaged_files(tmp_path, right, damage):
    run(tmp_path)
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        data = data[:len(data) // 2]
    elif damage == "empty":
        data = bytearray()
    elif damage == "appended":
        data += b"x"
    else:
        data[3 if "head" in damage else len(data) * 2 // 3] ^= 16
    path.write_bytes(data)
    result = run(tmp_path)
    assert result["sum"] == right and not result["cached"]
    # It was made anew.
    assert run(tmp_path)["cached"]


def test_read_only(tmp_path, right):
    run(tmp_path)
    tmp_path.chmod(0o500)
    try:
        assert run(tmp_path)["sum"] == right
        (path,) = files(tmp_path)
        path.chmod(0o400)
        assert run(tmp_path)["cached"]
    finally:
        tmp_path.chmod(0o700)


def test_a_disk_that_is_full(tmp_path, right):
    # Writes beyond some bytes fail, as those of a full disk do; the file that was begun is gone.
    for limit in (0, 100, 5000):
        result = run(tmp_path, limit)
        assert result["sum"] == right and not result["cached"]
        assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_directory_that_others_may_write_to_is_not_used(tmp_path, right):
    tmp_path.chmod(0o777)
    assert run(tmp_path)["sum"] == right
    assert list(tmp_path.iterdir()) == []
    assert not run(tmp_path)["cached"]


def test_switched_off(tmp_path, right):
    assert run(tmp_path / "none", FLASH_CACHE="0")["sum"] == right
    assert not (tmp_path / "none").exists()


def test_the_default_is_xdg(tmp_path, right):
    variables = {"FLASH_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    assert run("", **variables)["sum"] == right
    assert len(files(tmp_path / "xdg" / "flash")) == 1
    home = {"FLASH_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": str(tmp_path / "home")}
    assert run("", **home)["sum"] == right
    assert len(files(tmp_path / "home" / ".cache" / "flash")) == 1


def test_it_is_bounded(tmp_path, right):
    # What is there is old: the limit of 1 MB leaves the newest three quarters of one.
    for n in range(8):
        path = tmp_path / f"{n:064x}.flash"
        path.write_bytes(b"x" * 200_000)
        os.utime(path, (time.time() - 1000 + n,) * 2)
    tmp_path.chmod(0o700)
    assert run(tmp_path, FLASH_CACHE_MAX_MB="1")["sum"] == right
    left = files(tmp_path)
    assert sum(p.stat().st_size for p in left) <= 768 * 1024 + 1
    assert not (tmp_path / f"{0:064x}.flash").exists()
    assert run(tmp_path, FLASH_CACHE_MAX_MB="1")["cached"]
