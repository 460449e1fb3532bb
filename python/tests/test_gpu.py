# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attention() on PyTorch's CUDA tensors: right, captured in graphs, cheap for the host. Skipped without a GPU.

    FLASH_LIBRARY=build/lib/libflash-c.so PYTHONPATH=python/src python3 python/tests/test_gpu.py      without pytest, too
"""

import os
import time

try:
    import torch
    DEVICE = "cuda" if torch.cuda.is_available() else os.environ.get("FLASH_TEST_DEVICE")
except ImportError:
    DEVICE = None

import flash_mlir
from flash_mlir import attention

try:
    import pytest
    pytestmark = pytest.mark.skipif(DEVICE is None, reason="no PyTorch with a GPU")
except ImportError:
    pass


def make(b=2, h=8, hk=2, sq=500, sk=500, d=128, dtype=None):
    generator = torch.Generator(DEVICE).manual_seed(sq + sk)
    dtype = dtype or torch.bfloat16
    return [torch.randn(shape, generator=generator, device=DEVICE).to(dtype) for shape in ((b, h, sq, d), (b, hk, sk, d), (b, hk, sk, d))]


def reference(q, k, v, score=None, mask=None):
    """In float64, with scores in memory."""
    group = q.shape[1] // k.shape[1]
    q, k, v = q.double(), k.double().repeat_interleave(group, 1), v.double().repeat_interleave(group, 1)
    s = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
    place = torch.meshgrid(*(torch.arange(n, device=q.device) for n in s.shape), indexing="ij")
    s = s if score is None else score(s, *place)
    s = s if mask is None else torch.where(mask(*place), s, -torch.inf)
    return torch.softmax(s, -1).nan_to_num(0) @ v, torch.logsumexp(s, -1)


def close(got, expected, tolerance=2e-2):
    error = (got.double() - expected).abs().max().item()
    assert error < tolerance, error


def test_plain_causal_lse():
    for sq, sk, d in ((500, 500, 128), (33, 700, 64), (1, 512, 128), (256, 256, 256)):
        q, k, v = make(sq=sq, sk=sk, d=d)
        close(attention(q, k, v), reference(q, k, v)[0])
        o, lse = attention(q, k, v, causal=True, return_lse=True)
        expected = reference(q, k, v, mask=lambda b, h, i, j, n=sk - sq: i + n >= j)
        close(o, expected[0])
        close(lse, expected[1], 1e-2)


def test_functions():
    q, k, v = make()
    slopes = torch.linspace(0.01, 0.2, 8, device=DEVICE)
    document = (torch.arange(500, device=DEVICE) // 120).int()
    table = torch.randn(500, 500, device=DEVICE, dtype=torch.bfloat16)

    def score(s, b, h, i, j):
        return 20 * torch.tanh(s / 20) - slopes[h] * abs(i - j) + torch.where(i > j, table[i, j], 0.0)

    def mask(b, h, i, j):
        return (i >= j) & (i - j < 200) & (document[i] == document[j])

    close(attention(q, k, v, score_mod=score), reference(q, k, v, score=score)[0])
    close(attention(q, k, v, mask_mod=mask), reference(q, k, v, mask=mask)[0])
    close(attention(q, k, v, score_mod=score, mask_mod=mask), reference(q, k, v, score, mask)[0])


def test_views_are_their_copies():
    packed = torch.randn(2, 300, 3, 8, 64, device=DEVICE).bfloat16()
    views = [packed[:, :, i].transpose(1, 2) for i in range(3)]
    assert torch.equal(attention(*views, causal=True), attention(*(x.contiguous() for x in views), causal=True))


def test_options():
    q, k, v = make()
    assert torch.equal(attention(*(x.transpose(1, 2).contiguous() for x in (q, k, v)), causal=True, layout="bshd").transpose(1, 2), attention(q, k, v, causal=True))
    close(attention(q, k, v, window=(100, 0)), reference(q, k, v, mask=lambda b, h, i, j: (i >= j) & (i - j <= 100))[0])
    bias = torch.randn(1, 8, 500, 500, device=DEVICE).bfloat16()
    close(attention(q, k, v, bias=bias), reference(q, k, v, score=lambda s, *_: s + bias.double())[0])
    lengths = torch.tensor([500, 77], device=DEVICE, dtype=torch.int32)
    close(attention(q, k, v, kv_lengths=lengths), reference(q, k, v, mask=lambda b, h, i, j: j < lengths[b])[0])
    v[...] = 1
    flash_mlir.manual_seed(3)
    first = attention(q, k, v, dropout_p=0.5)
    flash_mlir.manual_seed(3)
    assert torch.equal(first, attention(q, k, v, dropout_p=0.5)) and abs(first.float().mean().item() - 1) < 0.05


def test_what_is_refused():
    q, k, v = make()
    host = torch.ones(8)
    for options, words in (({"sinks": host}, "sinks: got an array on the host"), ({"score_mod": lambda s, b, h, i, j: s + host[h]}, "'host' of the score function: got an array on the host")):
        try:
            attention(q, k, v, **options)
        except flash_mlir.ArgumentError as error:
            assert words in str(error), error
        else:
            raise AssertionError("a host array was taken beside a device's")
    try:
        attention(q.float(), k.float(), v.float())
    except flash_mlir.FlashError as error:
        print(error)
    else:
        raise AssertionError("f32 is not a GPU's")


def test_calls_that_change():
    """A call that was made before is not taken for another: by types, sizes, strides, options, gradients; memory is used again."""
    for _ in range(3):
        for dtype in (torch.float16, torch.bfloat16):
            for sq, d in ((64, 64), (200, 64), (64, 128)):
                q, k, v = make(b=1, sq=sq, sk=sq, d=d, dtype=dtype)
                close(attention(q, k, v), reference(q, k, v)[0])
                close(attention(q, k, v, scale=0.1), reference(q * (0.1 * d ** 0.5), k, v)[0])
                turned = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]
                assert torch.equal(attention(*turned), attention(q, k, v))
                del q, k, v, turned
    q, k, v = make()
    expected = attention(q, k, v)
    for x in (q, k, v):
        x.requires_grad = True
        try:
            attention(q, k, v)
        except flash_mlir.ArgumentError as error:
            assert "requires grad" in str(error)
        else:
            raise AssertionError("a gradient was lost")
        with torch.no_grad():
            assert torch.equal(attention(q, k, v), expected)
        x.requires_grad = False
    assert torch.equal(attention(q, k, v), expected)


def capture(q, k, v):
    attention(q, k, v, causal=True)  # compiled and loaded before
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        o = attention(q, k, v, causal=True)
    return graph, o


def test_graphs_replay_with_new_inputs_and_after_other_shapes():
    q, k, v = make()
    graph, o = capture(q, k, v)
    other = make(sq=900, sk=900)
    graph2, o2 = capture(*other)
    for seed in range(3):
        for n in (64, 1000 + seed):
            attention(*make(sq=n, sk=n), causal=True)
        q.copy_(torch.randn_like(q))
        graph.replay()
        graph2.replay()
        torch.cuda.synchronize()
        assert torch.equal(o, attention(q, k, v, causal=True))
        assert torch.equal(o2, attention(*other, causal=True))


def test_streams():
    q, k, v = make(sq=2000, sk=2000)
    expected = attention(q, k, v, causal=True)
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in range(4)]
    results = []
    for n in range(40):
        with torch.cuda.stream(streams[n % 4]):
            results.append(attention(q, k, v, causal=True))
    torch.cuda.synchronize()
    assert all(torch.equal(r, expected) for r in results)


def host_us(call, burst=400, bursts=20):
    for _ in range(50):
        call()
    best = float("inf")
    for _ in range(bursts):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(burst):
            call()
        best = min(best, (time.perf_counter() - begin) / burst)
    return 1e6 * best


def test_host_time():
    from torch.nn.attention import SDPBackend, sdpa_kernel
    q, k, v = make(b=1, h=4, hk=4, sq=128, sk=128)
    ours = host_us(lambda: attention(q, k, v, causal=True))
    with sdpa_kernel(SDPBackend.CUDNN_ATTENTION), torch.no_grad():
        cudnn = host_us(lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True))
    way = "by the shortcut" if flash_mlir._shortcut._prepared else "without the shortcut, which needs PyTorch 2.10"
    print(f"a cached plain call: {ours:.2f} us of the host, {way}; cuDNN's SDPA: {cudnn:.2f} us")
    assert ours <= 10


if __name__ == "__main__":
    import sys
    failed = 0
    if DEVICE is None:
        sys.exit("no PyTorch with a GPU")
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            try:
                function()
                print(f"ok      {name}", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAILED  {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{sum(n.startswith('test_') for n in globals()) - failed} passed, {failed} failed")
    sys.exit(failed > 0)
