# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The peers. Each entry of PEERS makes, for a case and its tensors, a call that returns the output as batch x heads x
length x head dim; it raises Unsupported for a case that the peer does not do.

    cudnn   PyTorch's scaled_dot_product_attention, cuDNN's backend        dense, causal
    fa2     the same, FlashAttention-2                                     dense, causal
    varlen  PyTorch's varlen_attn (FlashAttention-2)                       ragged
    flex    PyTorch's FlexAttention, compiled for the shape                everything
    fa3     flash_attn_interface, if it can be imported                    dense, causal, window, softcap
    fa4     flash_attn.cute, if it can be imported (fa4_bundle.sh)         dense, causal, window, softcap
    unfused NumPy in f32, of a dry run                                     everything

FlashAttention-3 and -4, and varlen_attn, get tensors in their own layout (batch x length x heads x head dim), copied
before.
"""

import importlib
import inspect
import math

from .variants import BLOCK


class Unsupported(Exception):
    """The peer does not do this case, or is not here."""


def sdpa(backend_name):
    def make(backend, case, q, k, v, blocks):
        if case.variant.kind not in ("full", "causal"):
            raise Unsupported("full and causal only")
        from torch.nn.attention import SDPBackend, sdpa_kernel
        attention = backend.torch.nn.functional.scaled_dot_product_attention
        which, causal, grouped = getattr(SDPBackend, backend_name), case.variant.causal, case.heads != case.kv_heads

        def launch():
            with sdpa_kernel(which):
                return attention(q, k, v, is_causal=causal, enable_gqa=grouped)

        return launch

    return make


def flex_functions(backend, case, blocks):
    """(mask, score), as plain closures: what FlexAttention traces should be what a user would write."""
    torch, variant = backend.torch, case.variant
    width = cap = variant.parameter
    slopes = backend.array([variant.slope(h, case.heads) for h in range(case.heads)], "f32") if variant.kind == "alibi" else None

    def causal(b, h, i, j):
        return j <= i

    def window(b, h, i, j):
        return (j <= i) & (i - j < width)

    def listed(b, h, i, j):
        return blocks[i // BLOCK, j // BLOCK]

    def ragged(b, h, i, j):
        return (blocks[i] == blocks[j]) & (j <= i)

    def softcap(s, b, h, i, j):
        return cap * torch.tanh(s / cap)

    def alibi(s, b, h, i, j):
        return s + slopes[h] * (j - i)

    mask = listed if variant.sparse else ragged if variant.kind == "ragged" else window if variant.kind == "window" else causal if variant.causal else None
    return mask, {"softcap": softcap, "alibi": alibi}.get(variant.kind)


# (case, what was compiled for it): other inputs of the same case need no new compilation.
flex_compiled = (None, None)


def flex(backend, case, q, k, v, blocks):
    global flex_compiled
    torch = backend.torch
    try:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    except ImportError as error:
        raise Unsupported(str(error)) from error
    if flex_compiled[0] != case:
        # Nothing is reused by chance, nor given up on after too many compilations.
        torch._dynamo.reset()
        mask, score = flex_functions(backend, case, blocks)
        block_mask = create_block_mask(mask, None, None, case.length, case.length, device="cuda", BLOCK_SIZE=BLOCK) if mask else None
        flex_compiled = case, (torch.compile(flex_attention, dynamic=False, fullgraph=True), score, block_mask)
    compiled, score, block_mask = flex_compiled[1]
    grouped = case.heads != case.kv_heads

    def launch():
        return compiled(q, k, v, score_mod=score, block_mask=block_mask, enable_gqa=grouped)

    return launch


def flash_attn(module, kinds):
    def make(backend, case, q, k, v, blocks):
        if case.variant.kind not in kinds:
            raise Unsupported(f"{', '.join(kinds)} only")
        try:
            function = importlib.import_module(module).flash_attn_func
        except Exception as error:  # a package of another version fails in its own ways
            raise Unsupported(f"{module} cannot be imported: {error}") from error
        q, k, v = (x.transpose(1, 2).contiguous() for x in (q, k, v))
        options = {"causal": case.variant.causal}
        if case.variant.kind == "window":
            options["window_size"] = (case.variant.parameter - 1, 0)
        if case.variant.kind == "softcap":
            options["softcap"] = case.variant.parameter

        def launch():
            out = function(q, k, v, **options)
            return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)

        return launch

    return make


def varlen(backend, case, q, k, v, blocks):
    if case.variant.kind != "ragged":
        raise Unsupported("ragged only")
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError as error:
        raise Unsupported(str(error)) from error
    q, k, v = (x[0].transpose(0, 1).contiguous() for x in (q, k, v))
    starts = case.variant.starts(case.length)
    # PyTorch has renamed the option.
    causal = {"is_causal": True} if "is_causal" in inspect.signature(varlen_attn).parameters else {"window_size": (-1, 0)}
    longest, places = max(end - first for first, end in zip(starts, starts[1:])), backend.array(starts, "i32")

    def launch():
        return varlen_attn(q, k, v, places, places, longest, longest, **causal).transpose(0, 1)[None]

    return launch


def unfused(backend, case, q, k, v, blocks):
    if backend.name != "cpu":
        raise Unsupported("for dry runs")
    np, variant, group = backend.np, case.variant, case.heads // case.kv_heads
    i, j = np.arange(case.length)[:, None], np.arange(case.length)[None, :]
    seen = variant.visible(i, j, blocks)

    def launch():
        out = np.empty(case.shapes()[3], dtype=q.dtype)
        for b in range(case.batch):
            for h in range(case.heads):
                s = (q[b, h] @ k[b, h // group].T).astype(np.float32) / math.sqrt(case.head_dim)
                s = variant.score(s, i, j, variant.slope(h, case.heads), np.tanh)
                s = s if seen is None else np.where(seen, s, -np.inf)
                p = np.exp(s - s.max(axis=1, keepdims=True))
                out[b, h] = (p @ v[b, h // group]) / p.sum(axis=1, keepdims=True)
        return out

    return launch


PEERS = {"cudnn": sdpa("CUDNN_ATTENTION"), "fa2": sdpa("FLASH_ATTENTION"), "varlen": varlen, "flex": flex,
         "fa3": flash_attn("flash_attn_interface", ("full", "causal", "window", "softcap")),
         "fa4": flash_attn("flash_attn.cute", ("full", "causal", "window", "softcap")), "unfused": unfused}
