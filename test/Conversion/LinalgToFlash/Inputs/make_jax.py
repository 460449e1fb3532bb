#!/usr/bin/env python3
"""Writes linalg modules of JAX models: jax.export makes StableHLO, torch-mlir's wheel legalises it to linalg.

    python make_jax.py OUT_DIR [--torch-mlir DIR]

DIR is where torch-mlir's wheel was unpacked, if it is not installed; PyTorch is not needed. README.md has the versions.
"""

import argparse
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

B, S, H, D = 2, 6, 4, 8


def tensor(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def sdpa(q, k, v):
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) / np.sqrt(q.shape[-1])
    return jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores, axis=-1), v)


def flax(query, key, value):
    """flax.linen.dot_product_attention without dropout: the query is scaled, heads come after the length."""
    query = query / jnp.sqrt(query.shape[-1]).astype(query.dtype)
    weights = jnp.einsum("...qhd,...khd->...hqk", query, key)
    weights = jax.nn.softmax(weights).astype(query.dtype)
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


def flax_causal(query, key, value):
    """The same with flax's make_causal_mask and its smallest finite number."""
    query = query / jnp.sqrt(query.shape[-1]).astype(query.dtype)
    weights = jnp.einsum("...qhd,...khd->...hqk", query, key)
    positions = jnp.broadcast_to(jnp.arange(query.shape[1], dtype=jnp.int32), (query.shape[0], query.shape[1]))
    mask = jnp.greater_equal(jnp.expand_dims(positions, -1), jnp.expand_dims(positions, -2))[:, None]
    weights = jnp.where(mask, weights, jnp.finfo(query.dtype).min)
    weights = jax.nn.softmax(weights).astype(query.dtype)
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


def mixed(q, k, v):
    """16-bit inputs, scores and softmax in f32."""
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k, preferred_element_type=jnp.float32) * 0.25
    p = jax.nn.softmax(scores, axis=-1).astype(q.dtype)
    return jnp.einsum("bhqk,bhkd->bhqd", p, v)


def exp2(q, k, v):
    """The scale of the scores and of the base in one number, normalised by a reciprocal."""
    scores = jnp.einsum("bhqd,bhkd->bhqk", q, k) * (np.log2(np.e) / np.sqrt(q.shape[-1]))
    p = jnp.exp2(scores - jnp.max(scores, axis=-1, keepdims=True))
    return jnp.einsum("bhqk,bhkd->bhqd", p * (1 / jnp.sum(p, axis=-1, keepdims=True)), v)


def late(q, k, v):
    """Normalised after the second contraction."""
    scores = jnp.einsum("bhqd,bhkd->bhqk", q * 0.3, k)
    p = jnp.exp(scores - jnp.max(scores, axis=-1, keepdims=True))
    return jnp.einsum("bhqk,bhkd->bhqd", p, v) / jnp.sum(p, axis=-1, keepdims=True)


def multi_query(q, k, v):
    """One head of keys, and batches under vmap."""
    one = lambda q, k, v: jax.nn.softmax(jnp.einsum("hqd,kd->hqk", q, k) * 0.2) @ v
    return jax.vmap(one)(q, k, v)


def alibi(q, k, v):
    slopes = 2.0**(-8.0 * (jnp.arange(H) + 1) / H)
    distance = jnp.arange(S)[None, :] - jnp.arange(S)[:, None]
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) * 0.3 + slopes[:, None, None] * distance
    scores = jnp.where(distance <= 0, scores, -jnp.inf)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores), v)


dpa = jax.nn.dot_product_attention
BHSD, BSHD = (B, H, S, D), (B, S, H, D)
MODELS = {
    "jax-sdpa": (sdpa, [tensor(*BHSD)] * 3),
    "jax-flax": (flax, [tensor(*BSHD)] * 3),
    "jax-flax-causal": (flax_causal, [tensor(*BSHD)] * 3),
    "jax-mixed": (mixed, [tensor(*BHSD, dtype=jnp.bfloat16)] * 3),
    "jax-exp2": (exp2, [tensor(*BHSD)] * 3),
    "jax-late": (late, [tensor(*BHSD)] * 3),
    "jax-mqa": (multi_query, [tensor(*BHSD)] + [tensor(B, S, D)] * 2),
    "jax-alibi": (alibi, [tensor(*BSHD)] * 3),
    "jax-dpa": (dpa, [tensor(*BSHD)] * 3),
    "jax-dpa-cross": (dpa, [tensor(*BSHD)] + [tensor(B, 9, H, D)] * 2),
    "jax-dpa-causal-gqa": (lambda q, k, v: dpa(q, k, v, is_causal=True),
                           [tensor(*BSHD, dtype=jnp.bfloat16)] + [tensor(B, S, 2, D, dtype=jnp.bfloat16)] * 2),
    "jax-dpa-window": (lambda q, k, v: dpa(q, k, v, local_window_size=(2, 1)), [tensor(*BSHD)] * 3),
    "jax-dpa-bias": (dpa, [tensor(*BSHD)] * 3 + [tensor(1, H, S, S)]),
    "jax-dpa-mask": (lambda q, k, v, m: dpa(q, k, v, mask=m), [tensor(*BSHD)] * 3 + [tensor(B, 1, S, S, dtype=bool)]),
}


def legalize(module):
    from torch_mlir._mlir_libs import _stablehlo, _torchMlir
    from torch_mlir.ir import Context, Module
    from torch_mlir.passmanager import PassManager
    with Context() as context:
        _torchMlir.register_dialect(context)
        _stablehlo.register_dialect(context)
        parsed = Module.parse(module)

        # The legalisation refuses a contraction that names its precision; the result's type says the same.
        def drop_algorithm(op):
            if op.name == "stablehlo.dot_general" and "algorithm" in op.attributes:
                del op.attributes["algorithm"]

        def walk(op):
            for region in op.regions:
                for block in region:
                    for inner in block:
                        drop_algorithm(inner.operation)
                        walk(inner.operation)

        walk(parsed.operation)
        PassManager.parse("builtin.module(stablehlo-legalize-to-linalg,canonicalize)").run(parsed.operation)
        return parsed.operation.get_asm()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--torch-mlir", help="folder of the unpacked wheel")
    arguments = parser.parse_args()
    if arguments.torch_mlir:
        sys.path.insert(0, arguments.torch_mlir)
    for name, (model, inputs) in MODELS.items():
        exported = export.export(jax.jit(model), platforms=["cpu"])(*inputs)
        (arguments.out / f"{name}.mlir").write_text(legalize(exported.mlir_module()) + "\n")
        print(name)


if __name__ == "__main__":
    main()
