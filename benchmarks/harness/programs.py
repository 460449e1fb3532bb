# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The MLIR text of a case, and the tensors it takes besides Q, K and V. Batch, heads and lengths are left to run time."""

from .variants import BLOCK


def options(variant):
    """(arguments, clauses) of a case, besides Q, K and V."""
    arguments, clauses, attributes = [], [], []
    if variant.sparse:
        count, lists = "tensor<?x?x?xi32>", "tensor<?x?x?x?xi32>"
        arguments += [f"%np: {count}", f"%p: {lists}", f"%nf: {count}", f"%f: {lists}"]
        clauses.append(f"mask_operands(%np, %p, %nf, %f : {count}, {lists}, {count}, {lists})")
        attributes.append(f"mask = #flash.block_sparse<bq = {BLOCK}, bk = {BLOCK}>")
    elif variant.kind == "ragged":
        arguments += ["%starts: tensor<?xi32>"]
        clauses.append("cu_seqlens_q(%starts : tensor<?xi32>) cu_seqlens_k(%starts : tensor<?xi32>)")
        attributes.append("mask = #flash.causal")
    elif variant.kind == "window":
        attributes.append(f"mask = #flash.window<left = {variant.parameter - 1}, right = 0>")
    elif variant.causal:
        attributes.append("mask = #flash.causal")
    if variant.kind == "alibi":
        arguments.append("%slopes: tensor<?xf32>")
        clauses.append("score_operands(%slopes : tensor<?xf32>)")
        attributes.append("scores = [#flash.alibi]")
    elif variant.kind == "softcap":
        attributes.append(f"scores = [#flash.softcap<{float(variant.parameter)} : f32>]")
    clauses += ["{" + ", ".join(attributes) + "}"] if attributes else []
    return arguments, " ".join(clauses)


def text(variant, head_dim, head_dim_v, element):
    q, v = (f"tensor<?x?x?x{d}x{element}>" for d in (head_dim, head_dim_v))
    more, clauses = options(variant)
    arguments = [f"%q: {q}", f"%k: {q}", f"%v: {v}", *more]
    return (f"func.func @attention({', '.join(arguments)}) -> {v} {{\n"
            f"  %o = flash.attention %q, %k, %v {clauses} : {q}, {q}, {v} -> {v}\n"
            f"  return %o : {v}\n}}\n")


def forward_text(variant, head_dim, head_dim_v, element):
    """The output and its log-sum-exp, which the backward keeps."""
    q, v, lse = (*(f"tensor<?x?x?x{d}x{element}>" for d in (head_dim, head_dim_v)), "tensor<?x?x?xf32>")
    more, clauses = options(variant)
    arguments = [f"%q: {q}", f"%k: {q}", f"%v: {v}", *more]
    return (f"func.func @forward({', '.join(arguments)}) -> ({v}, {lse}) {{\n"
            f"  %o, %l = flash.attention %q, %k, %v {clauses} : {q}, {q}, {v} -> {v}, {lse}\n"
            f"  return %o, %l : {v}, {lse}\n}}\n")


def backward_text(variant, head_dim, head_dim_v, element):
    """The gradients for Q, K and V, of Q, K, V, the output, its log-sum-exp and the gradient for the output."""
    q, v, lse = (*(f"tensor<?x?x?x{d}x{element}>" for d in (head_dim, head_dim_v)), "tensor<?x?x?xf32>")
    more, clauses = options(variant)
    arguments = [f"%q: {q}", f"%k: {q}", f"%v: {v}", f"%o: {v}", f"%l: {lse}", f"%do: {v}", *more]
    return (f"func.func @backward({', '.join(arguments)}) -> ({q}, {q}, {v}) {{\n"
            f"  %dq, %dk, %dv = flash.attention_backward %q, %k, %v, %o, %l, %do {clauses}\n"
            f"      : {q}, {q}, {v}, {v}, {lse}, {v} -> query {q} key {q} value {v}\n"
            f"  return %dq, %dk, %dv : {q}, {q}, {v}\n}}\n")


def extra_arguments(backend, case):
    """What the program takes after Q, K and V."""
    variant = case.variant
    if variant.kind == "alibi":
        return [backend.array([variant.slope(h, case.heads) for h in range(case.heads)], "f32")]
    if variant.kind == "ragged":
        return [backend.array(variant.starts(case.length), "i32")]
    if not variant.sparse:
        return []
    # Blocks are seen whole or not at all: the lists of partial blocks are empty.
    rows = [[k for k, seen in enumerate(row) if seen] for row in variant.blocks(case.length)]
    padded = [row + [0] * (len(rows) - len(row)) for row in rows]
    zeros = [[0] * len(rows) for _ in rows]
    return [backend.array(x, "i32") for x in ([[[0] * len(rows)]], [[zeros]], [[[len(row) for row in rows]]], [[padded]])]
