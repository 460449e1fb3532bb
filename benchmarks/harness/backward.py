# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The backward: ours and the peers' gradients for Q, K and V, in turns, and their errors against float64.

A call begins with Q, K, V, the output, its log-sum-exp and the gradient for the output in memory, and ends with the three
gradients in the inputs' type: what each needs before and after its main kernel counts. FLOPs are 2.5 times the forward's.

    cudnn   PyTorch's cuDNN attention, its backward op                     dense, causal
    fa2     the same, FlashAttention-2                                     dense, causal
    fa3     flash_attn_interface through autograd                          dense, causal, window, softcap
    fa4     flash_attn.cute through autograd                               dense, causal, window, softcap
    flex    FlexAttention through autograd, compiled for the shape         everything
"""

import math

from . import inputs, peers, programs, timing
from .reference import ROWS

NAMES = ("dq", "dk", "dv")


def reference(backend, case, q, k, v, d_output, head):
    """dQ, dK, dV of one head in float64, a block of queries at a time."""
    xp, n, variant = backend.xp, case.length, case.variant
    q, k, v, d_output = (backend.double(x) for x in (q, k, v, d_output))
    scale = 1 / math.sqrt(case.head_dim)
    slope = variant.slope(head, case.heads)
    j = backend.arange(0, n)[None, :]
    d_query, d_key, d_value = [], 0.0, 0.0
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        i = backend.arange(start, min(start + ROWS, n))[:, None]
        raw = (q[rows] @ k.T) * scale
        s = variant.score(raw, backend.double(i), backend.double(j), slope, xp.tanh)
        seen = variant.visible(i, j, None)
        if seen is not None:
            s = xp.where(seen, s, -math.inf)
        p = xp.exp(s - xp.amax(s, 1)[:, None])
        p = p / xp.sum(p, 1)[:, None]
        d_p = d_output[rows] @ v.T
        d_s = p * (d_p - xp.sum(p * d_p, 1)[:, None])
        if variant.kind == "softcap":
            d_s = d_s * (1 - xp.tanh(raw / variant.parameter) ** 2)
        d_query.append((d_s @ k) * scale)
        d_key = d_key + (d_s.T @ q[rows]) * scale
        d_value = d_value + p.T @ d_output[rows]
    return xp.concatenate(d_query), d_key, d_value


def errors(backend, gradients, refs):
    """The relative error of each gradient, of the first head of the first batch entry."""
    found = {}
    for name, gradient, ref in zip(NAMES, gradients, refs):
        value = float(backend.norm(backend.double(gradient[0, 0]) - ref)) / float(backend.norm(ref))
        found[name] = value if value == value else math.inf
    return found


def flash(backend, cache, entry, case, q, k, v, d_output):
    """Our backward, of what our forward keeps."""
    element = backend.element_type(case.dtype)
    extra = programs.extra_arguments(backend, case)
    make = {name: cache.get(entry, text(case.variant, case.head_dim, case.head_dim_v, element))
            for name, text in (("forward", programs.forward_text), ("backward", programs.backward_text))}
    out = backend.poisoned(case.shapes()[3], case.dtype)
    lse = backend.poisoned(case.shapes()[3][:3], "f32")
    make["forward"].function.bind([q, k, v, *extra], [out, lse], backend.stream)()
    gradients = [backend.poisoned(shape, case.dtype) for shape in case.shapes()[:3]]
    call = make["backward"].function.bind([q, k, v, out, lse, d_output, *extra], gradients, backend.stream)

    def launch():
        call()
        return gradients

    return launch, make["backward"]


def aten(which):
    """The backward op of PyTorch's own attention, on what its forward op keeps."""
    def make(backend, case, q, k, v, d_output):
        if case.variant.kind not in ("full", "causal") or case.heads != case.kv_heads:
            raise peers.Unsupported("full and causal only")
        ops, causal = backend.torch.ops.aten, case.variant.causal
        if which == "cudnn":
            o, l, cq, ck, nq, nk, seed, offset = ops._scaled_dot_product_cudnn_attention(q, k, v, None, True, 0.0, causal, False)[:8]
            return lambda: ops._scaled_dot_product_cudnn_attention_backward(d_output, q, k, v, o, l, seed, offset, None, cq, ck, nq, nk, 0.0, causal)
        o, l, cq, ck, nq, nk, seed, offset = ops._scaled_dot_product_flash_attention(q, k, v, 0.0, causal, False)[:8]
        return lambda: ops._scaled_dot_product_flash_attention_backward(d_output, q, k, v, o, l, cq, ck, nq, nk, 0.0, causal, seed, offset)

    return make


def autograd(name):
    """The backward of a peer whose forward is a call: what it kept is used again and again."""
    def make(backend, case, q, k, v, d_output):
        with backend.torch.enable_grad():
            q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
            output = peers.PEERS[name](backend, case, q, k, v, None)()

        def launch():
            return backend.torch.autograd.grad(output, (q, k, v), d_output, retain_graph=True)

        return launch

    return make


PEERS = {"cudnn": aten("cudnn"), "fa2": aten("fa2"), "fa3": autograd("fa3"), "fa4": autograd("fa4"), "flex": autograd("flex")}


def throughput(run, case, names):
    """Times everybody in turns; errors on the same tensors."""
    backend, options = run.backend, run.options
    tensors = inputs.make(backend, case, seed=options.seed)
    d_output = backend.cast(backend.normal(case.shapes()[3], 3 * options.seed + 7), case.dtype)
    found = {}

    def attempt(name, make):
        try:
            launch, program = make()
            found[name] = (launch, launch(), program)
            backend.synchronize()
        except peers.Unsupported as error:
            if (name, str(error)) not in run.unsupported:
                run.unsupported.add((name, str(error)))
                run.fail(f"{name}, backward, {case}", error, expected=True)
        except Exception as error:  # one that fails must not end the others
            run.fail(f"{name}, backward, {case}", error)

    for entry in run.ours:
        attempt(entry.name, lambda e=entry: flash(backend, run.cache, e, case, *tensors, d_output))
    for name in names:
        if name in PEERS:
            attempt(name, lambda n=name: (PEERS[n](backend, case, *tensors, d_output), None))
    if not found:
        return
    refs = reference(backend, case, tensors[0][0, 0], tensors[1][0, 0], tensors[2][0, 0], d_output[0, 0], 0)
    facts = {name: {"errors": errors(backend, gradients, refs)} for name, (_, gradients, _) in found.items()}
    times = timing.in_turns(backend, {name: entry[0] for name, entry in found.items()}, options.rounds, options.launches, options.pause,
                            run.monitor.sample)
    for name, time in times.items():
        row = {"kernel": name, **case.row(), **time, "tflops": 2.5 * case.flops() / time["ms"] / 1e9, **facts[name]}
        run.recorder.add("backward", row)
        clock = f"  {row['sm_mhz']:4.0f} MHz {row['power_w']:3.0f} W" if row.get("sm_mhz") else ""
        told = ", ".join(f"{gradient} {value:.2e}" for gradient, value in row["errors"].items())
        run.progress.say(f"  {name:32} {row['ms']:9.4f} ms {row['tflops']:8.1f} TFLOP/s  errors {told}{clock}")
    best = max((n for n in times if n.startswith("flash")), key=lambda n: -times[n]["ms"], default=None)
    if best and len(times) > 1:
        run.progress.say("  " + best + ": " + ", ".join(f"{times[n]['ms'] / times[best]['ms']:.3f} x {n}" for n in times if n != best))
