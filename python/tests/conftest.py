# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What tests share: a cache of their own, inputs, and a float64 reference that shares no code with the compiler."""

import os
import subprocess

import pytest

import numpy as np


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    os.environ["FLASH_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))
    os.environ.pop("FLASH_CACHE", None)


@pytest.fixture(scope="session")
def null_cuda(tmp_path_factory):
    """A folder with a libcuda.so.1 of a device that does nothing: a process that has it in LD_LIBRARY_PATH launches on that."""
    compiler = next((c for c in ("clang-22", "cc", "gcc") if subprocess.run(["which", c], capture_output=True).returncode == 0), None)
    if compiler is None:
        pytest.skip("no C compiler for the driver that does nothing")
    folder = tmp_path_factory.mktemp("null_cuda")
    source = os.path.join(os.path.dirname(__file__), "null_cuda.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", folder / "libcuda.so.1", source], check=True)
    return str(folder)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def inputs(rng):
    """inputs(batch, heads, key heads, Sq, Sk, dqk, dv): normal q, k, v."""

    def make(b=2, h=4, hk=2, sq=70, sk=70, d=32, dv=None, dtype="float32"):
        return tuple(rng.standard_normal(shape).astype(dtype) for shape in ((b, h, sq, d), (b, hk, sk, d), (b, hk, sk, dv or d)))

    return make


def positions(b, h, sq, sk):
    return np.meshgrid(np.arange(b), np.arange(h), np.arange(sq), np.arange(sk), indexing="ij")


def reference(q, k, v, mask=None, score=None, scale=None, sinks=None):
    """(o, lse) in float64. `mask` and `score` are functions as attention() takes them, of whole arrays."""
    q, k, v = (np.asarray(x, "float64") for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    s = np.einsum("bhid,bhjd->bhij", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    place = positions(*s.shape)
    if score is not None:
        s = score(s, *place)
    if mask is not None:
        s = np.where(mask(*place), s, -np.inf)
    with np.errstate(all="ignore"):
        m = np.max(s, -1, keepdims=True, initial=-np.inf)
        m = np.where(np.isfinite(m), m, 0)
        p = np.exp(s - m)
        total = p.sum(-1, keepdims=True)
        if sinks is not None:
            total = total + np.exp(np.asarray(sinks, "float64")[None, :, None, None] - m)
        o = np.where(total > 0, np.einsum("bhij,bhjd->bhid", p / np.where(total > 0, total, 1), v), 0)
        lse = (np.log(total) + m)[..., 0]
    return o, lse


def assert_close(got, expected, tolerance=3e-6):
    got, expected = np.asarray(got, "float64"), np.asarray(expected, "float64")
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=tolerance * 10, atol=tolerance)
