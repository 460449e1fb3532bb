#!/usr/bin/env python3
"""Writes linalg modules of PyTorch models: torch.export and torch-mlir's linalg-on-tensors pipeline.

    python make_torch.py OUT_DIR

README.md has the versions. PyTorch without a GPU is enough.
"""

import argparse
import math
import pathlib

import torch
import torch.nn.functional as F
from torch_mlir import fx

B, S, H, D = 2, 6, 4, 8
sdpa = F.scaled_dot_product_attention


def plain(q, k, v):
    return torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1) @ v


def bmm(q, k, v):
    return torch.bmm(torch.softmax(torch.bmm(q, k.transpose(1, 2)) * 0.4, dim=-1), v)


def nano_gpt(q, k, v):
    """nanoGPT's slow path, from (batch, length, heads * head dim) and back."""
    b, s, c = q.shape
    q, k, v = (x.view(b, s, H, c // H).transpose(1, 2) for x in (q, k, v))
    att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
    att = att.masked_fill(torch.tril(torch.ones(s, s)).view(1, 1, s, s) == 0, float("-inf"))
    return (F.softmax(att, dim=-1) @ v).transpose(1, 2).contiguous().view(b, s, c)


def bert(q, k, v, mask):
    """Hugging Face's eager BERT: a float mask is added."""
    scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(D) + mask
    return torch.matmul(F.softmax(scores, dim=-1), v).permute(0, 2, 1, 3).contiguous()


def llama(q, k, v):
    """Hugging Face's eager Llama: keys are repeated, softmax in f32, causal."""
    def repeat(x, n):
        b, heads, s, d = x.shape
        return x[:, :, None, :, :].expand(b, heads, n, s, d).reshape(b, heads * n, s, d)

    k, v = repeat(k, H // 2), repeat(v, H // 2)
    weights = torch.matmul(q, k.transpose(2, 3)) * D**-0.5
    causal = torch.triu(torch.full((S, S), float("-inf"), dtype=q.dtype), diagonal=1)
    weights = F.softmax(weights + causal[None, None], dim=-1, dtype=torch.float32).to(q.dtype)
    return torch.matmul(weights, v).transpose(1, 2).contiguous()


def collapsed(q, k, v):
    """(batch * heads) in one dimension and bmm, as fairseq and OPT do; the query is scaled."""
    def flat(x):
        return x.view(B, -1, H, D).transpose(1, 2).reshape(B * H, -1, D)

    weights = torch.bmm(flat(q) * D**-0.5, flat(k).transpose(1, 2))
    out = torch.bmm(F.softmax(weights, dim=-1), flat(v))
    return out.view(B, H, -1, D).transpose(1, 2).reshape(B, -1, H * D)


def t5(q, k, v, bias):
    """No scale, a bias of positions."""
    scores = torch.matmul(q, k.transpose(3, 2)) + bias
    return torch.matmul(F.softmax(scores.float(), dim=-1).type_as(scores), v)


def weights_too(q, k, v):
    """A near miss: the probabilities are returned."""
    p = torch.softmax(q @ k.transpose(-2, -1) * 0.35, dim=-1)
    return p @ v, p


def wrong_dim(q, k, v):
    """A near miss: softmax over the queries."""
    return torch.softmax(q @ k.transpose(-2, -1) * 0.35, dim=-2) @ v


def tensor(*shape, dtype=torch.float32):
    return (shape, dtype)


BHSD, BSHD = (B, H, S, D), (B, S, H, D)
bf16, f16 = torch.bfloat16, torch.float16
batch, length = torch.export.Dim("batch"), torch.export.Dim("length", min=2)
keys = torch.export.Dim("keys", min=2)
DYNAMIC = [{0: batch, 1: length}] + [{0: batch, 1: keys}] * 2
MODELS = {
    "torch-plain": (plain, [tensor(*BHSD)] * 3, None),
    "torch-bmm-dynamic": (bmm, [tensor(8, S, D)] + [tensor(8, 9, D)] * 2, DYNAMIC),
    "torch-nanogpt": (nano_gpt, [tensor(B, S, H * D)] * 3, None),
    "torch-bert": (bert, [tensor(*BHSD)] * 3 + [tensor(B, 1, 1, S)], None),
    "torch-llama": (llama, [tensor(*BHSD, dtype=bf16)] + [tensor(B, 2, S, D, dtype=bf16)] * 2, None),
    "torch-collapsed": (collapsed, [tensor(B, S, H * D), tensor(B, 9, H * D), tensor(B, 9, H * D)], None),
    "torch-t5": (t5, [tensor(*BHSD)] * 3 + [tensor(1, H, S, S)], None),
    "torch-weights-too": (weights_too, [tensor(*BHSD)] * 3, None),
    "torch-wrong-dim": (wrong_dim, [tensor(*BHSD)] * 3, None),
    "torch-sdpa": (lambda q, k, v: sdpa(q, k, v), [tensor(*BHSD)] * 3, None),
    "torch-sdpa-f16": (lambda q, k, v: sdpa(q, k, v), [tensor(*BHSD, dtype=f16)] * 3, None),
    "torch-sdpa-causal": (lambda q, k, v: sdpa(q, k, v, is_causal=True), [tensor(*BHSD)] * 3, None),
    "torch-sdpa-causal-cross": (lambda q, k, v: sdpa(q, k, v, is_causal=True),
                                [tensor(*BHSD)] + [tensor(B, H, 9, D)] * 2, None),
    "torch-sdpa-gqa": (lambda q, k, v: sdpa(q, k, v, enable_gqa=True),
                       [tensor(*BHSD)] + [tensor(B, 2, S, D)] * 2, None),
    "torch-sdpa-bias": (lambda q, k, v, m: sdpa(q, k, v, attn_mask=m), [tensor(*BHSD)] * 3 + [tensor(1, 1, S, S)], None),
    "torch-sdpa-mask": (lambda q, k, v, m: sdpa(q, k, v, attn_mask=m),
                        [tensor(*BHSD)] * 3 + [tensor(B, 1, S, S, dtype=torch.bool)], None),
    "torch-sdpa-bshd": (lambda q, k, v: sdpa(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2),
                        [tensor(*BSHD)] * 3, None),
}


class Model(torch.nn.Module):

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    for name, (model, inputs, dynamic) in MODELS.items():
        example = tuple(torch.zeros(shape, dtype=dtype) for shape, dtype in inputs)
        # Attention as its mathematics instead of a kernel of a device.
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            program = torch.export.export(Model(model), example, dynamic_shapes=dynamic and {"inputs": tuple(dynamic)})
            program = program.run_decompositions(torch.export.default_decompositions())
        module = fx.export_and_import(program, output_type="linalg-on-tensors", decomposition_table={}, func_name="main")
        (arguments.out / f"{name}.mlir").write_text(str(module) + "\n")
        print(name)


if __name__ == "__main__":
    main()
