# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""attention(): what is computed, in one call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import _arrays, _plan, _shortcut
from ._closures import Closure
from ._errors import ArgumentError
from ._sizes import Options

# Plans by shapes, strides, types and options. A program serves all lengths, but each length has a plan: old ones go.
_plans: dict[tuple, _plan.Plan] = {}
MOST_PLANS = 4096


def _numpy_key(q: Any, k: Any, v: Any) -> tuple:
    return q.shape, q.strides, q.dtype, k.shape, k.strides, k.dtype, v.shape, v.strides, v.dtype


def _torch_key(q: Any, k: Any, v: Any) -> tuple:
    grad = (q.requires_grad or k.requires_grad or v.requires_grad) and sys.modules["torch"].is_grad_enabled()
    return (q.shape, q.stride(), q.dtype, q.get_device(), k.shape, k.stride(), k.dtype, k.get_device(),
            v.shape, v.stride(), v.dtype, v.get_device(), grad)


def _cupy_key(q: Any, k: Any, v: Any) -> tuple:
    return q.shape, q.strides, q.dtype, q.device.id, k.shape, k.strides, k.dtype, k.device.id, v.shape, v.strides, v.dtype, v.device.id


_KEY_FUNCTIONS: dict[type, Callable] = {_arrays.NumpyAdapter: _numpy_key, _arrays.TorchAdapter: _torch_key, _arrays.CupyAdapter: _cupy_key}
_KEYS: dict[type, Callable[[Any, Any, Any], tuple]] = {}


def attention(q: Any, k: Any, v: Any, *, causal: bool = False, window: tuple[int | None, int | None] | None = None, scale: float | None = None,
              softcap: float | None = None, alibi_slopes: Any = None, bias: Any = None, sinks: Any = None,
              score_mod: Callable | None = None, mask_mod: Callable | None = None, block_mask: Any = None, segment_ids: Any = None,
              cu_seqlens_q: Any = None, cu_seqlens_k: Any = None, kv_lengths: Any = None, page_table: Any = None, dropout_p: float = 0.0,
              layout: str = "bhsd", return_lse: bool = False, deterministic: bool = False) -> Any:
    """softmax(score(scale Q K^T), masked) V, exactly, in one kernel: the scores are never in memory.

    Arrays are NumPy's (on the CPU), or PyTorch's, CuPy's or JAX's, where they lie; results are of q's library. Strides
    may be any, 0 too, as long as the last dimension is contiguous: nothing is copied. The first call with new types, head
    dims or options compiles (0.3 to 3 s, once a machine: programs are kept on disk); later ones cost a few microseconds.

    A score goes this way: scale, softcap, ALiBi, bias, score_mod, masks, sinks, softmax, dropout.

    Args:
        q: batch x heads x Sq x dqk (layout "bhsd"), f32, f16 or bf16 (f64 on the CPU).
        k: batch x key heads x Sk x dqk, of q's type. Key heads divide heads: query head h reads key head h / (heads / key heads).
        v: batch x key heads x Sk x dv.
        causal: hide keys after the query. Query i stands at position i + Sk - Sq: the last query sees the last key.
        window: (left, right): a query at p sees the keys from p - left to p + right; None or -1: no bound.
        scale: factor of the scores, by default 1 / sqrt(dqk). Part of the program: another one compiles anew.
        softcap: c: scores become c tanh(s / c).
        alibi_slopes: heads, or batch x heads, f32: s - slope |q - kv|, in positions.
        bias: added to the scores: batch x heads x Sq x Sk, each size may be 1; or fewer dimensions, which lack in front.
        sinks: heads, f32: a logit that each row sees beside its keys, without a value.
        score_mod: f(score, b, h, q, kv) -> score, of traced scalars, as in FlexAttention. b, h, q, kv are batch, query head,
            and row of the query and of the key from 0 on (with kv_lengths or cu_seqlens, positions within the sequence, the
            last query at the last key). Arrays that it names are read by the kernel.
        mask_mod: f(b, h, q, kv) -> bool: whether the query sees the key. `q >= kv`, `q - kv < 128`, `doc[q] == doc[kv]` and
            their combinations are recognised, and cost what they show; others are analysed by blocks.
        block_mask: lists of blocks, as FlexAttention's BlockMask has them (kv_num_blocks, kv_indices, full_kv_num_blocks,
            full_kv_indices, BLOCK_SIZE, mask_mod). Not needed: mask_mod alone skips blocks, too.
        segment_ids: batch x S (or S), i32, or a pair for queries and keys: they see each other where ids are equal.
        cu_seqlens_q: sequences + 1, i32: sequences lie packed along the length, batch 1; where each begins, and the end.
        cu_seqlens_k: the same of keys; cu_seqlens_q if not given.
        kv_lengths: batch (or sequences), i32: how many keys each has; others are not read.
        page_table: batch x pages, i32: key j of batch b is row j mod page of page_table[b][j / page]; k and v are
            pages x key heads x page x head dim.
        dropout_p: chance that a probability is dropped; `flash_mlir.manual_seed` sets the seed, each call takes another offset.
        layout: "bhsd", or "bshd": batch x S x heads x head dim.
        return_lse: return (o, lse), too: log of the sum of exponentials, batch x heads x Sq, f32, natural logarithm.
        deterministic: the same bits each time. The forward always is.

    Returns:
        o, batch x heads x Sq x dv in q's layout and type, dense; or (o, lse). A row that sees no key has o = 0 and
        lse = -inf.

    Raises:
        ArgumentError: an argument that cannot be; the message names it, what was got, what is expected.
        TraceError: what a function does that cannot be traced, with file and line.
        FlashError: what the compiler or the driver said; nothing falls back to something slower.

    Source: Dao et al., FlashAttention (arXiv 2205.14135) and FlashAttention-2 (arXiv 2307.08691).
    """
    # The next lines are most of what Python does in a call that was made before (`x is y is None` takes twice as long).
    plain = None
    if (score_mod is None and mask_mod is None and bias is None and segment_ids is None and alibi_slopes is None and sinks is None
            and block_mask is None and cu_seqlens_q is None and cu_seqlens_k is None and kv_lengths is None and page_table is None):
        result = _shortcut.call(q, k, v, causal, window, scale, softcap, dropout_p, layout, return_lse)
        if result is not None:
            return result
        plain = causal, window, scale, softcap, dropout_p, layout, return_lse
        kind = type(q)
        if type(k) is kind and type(v) is kind and (get_key := _KEYS.get(kind)) is not None:
            try:
                plan = _plans.get((get_key(q, k, v), plain))
            except TypeError:  # a window that is a list
                plan = None
            if plan is not None:
                return plan.run((q, k, v))
    arrays, options, key = read_options(q, k, v, causal, window, scale, softcap, alibi_slopes, bias, sinks, score_mod, mask_mod, block_mask,
                                        segment_ids, cu_seqlens_q, cu_seqlens_k, kv_lengths, page_table, dropout_p, layout, return_lse)
    plan = _plans.get(key)
    if plan is None:
        for name, array in zip("qkv", arrays):
            _refuse_gradients(name, array)
        plan = _plan.make_plan(arrays, options)
        if len(_plans) >= MOST_PLANS:
            _plans.clear()
            _shortcut.clear()
        _plans[key] = plan
        if plain is not None:
            # The key ends in the options: `plain`, with values that do not change.
            _shortcut.add(q, k, v, key[-1], plan)
        if type(q) not in _KEYS and plan.adapter in _KEY_FUNCTIONS:
            _KEYS[type(q)] = _KEY_FUNCTIONS[plan.adapter]
    return plan.run(arrays)


def _refuse_gradients(name: str, array: Any) -> None:
    if getattr(array, "requires_grad", False) and sys.modules["torch"].is_grad_enabled():
        raise ArgumentError(name, "a tensor that requires grad", "one that does not (detach() it, or call in torch.no_grad()): "
                            "this function has no backward yet")


def _number(name: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__") or getattr(value, "shape", ()) != ():
        raise ArgumentError(name, repr(value) if isinstance(value, (str, bool)) else type(value).__name__, "a number")
    if not low <= float(value) <= high:
        raise ArgumentError(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _window(window: Any) -> tuple[int | None, int | None]:
    if window is None:
        return None, None
    sides = tuple(window) if isinstance(window, (tuple, list)) else (window,)
    if len(sides) != 2 or any(not (s is None or (isinstance(s, int) and not isinstance(s, bool) and s >= -1)) for s in sides):
        raise ArgumentError("window", window, "(left, right): numbers of keys before and after the query's position; None or -1: no bound")
    return tuple(None if s == -1 else s for s in sides)


def _as(name: str, value: Any, element: str, like: Any) -> Any:
    """A list, or an array of NumPy, as an array of the type that the kernel reads; of other libraries nothing is converted."""
    name = {"segment_ids_q": "segment_ids", "segment_ids_k": "segment_ids"}.get(name, name)
    adapter = _arrays.adapter_of(value)
    if adapter is None or adapter is _arrays.NumpyAdapter:
        import numpy
        if adapter is None and _arrays.adapter_of(like) not in (_arrays.NumpyAdapter, _arrays.SpecAdapter):
            raise ArgumentError(name, type(value).__name__, f"an array of {type(like).__module__.partition('.')[0]}, as q is")
        array = numpy.asarray(value)
        exact = array.dtype.kind in "iu" if element == "i32" else array.dtype.kind in "iuf"
        if not exact:
            raise ArgumentError(name, array.dtype, "integers" if element == "i32" else "numbers")
        if element == "i32" and array.size and array.dtype.itemsize >= 4 and not -2 ** 31 <= int(array.min()) <= int(array.max()) < 2 ** 31:
            raise ArgumentError(name, f"numbers from {array.min()} to {array.max()}", "numbers of 32 bits")
        wanted = {"i32": "int32", "f32": "float32"}[element]
        return array if array.dtype.name == wanted else numpy.ascontiguousarray(array, wanted)
    return value


def read_options(q: Any, k: Any, v: Any, causal: bool, window: Any, scale: Any, softcap: Any, alibi_slopes: Any, bias: Any, sinks: Any,
                 score_mod: Any, mask_mod: Any, block_mask: Any, segment_ids: Any, cu_seqlens_q: Any, cu_seqlens_k: Any, kv_lengths: Any,
                 page_table: Any, dropout_p: float, layout: str, return_lse: bool) -> tuple[tuple, Options, tuple]:
    """The arrays of a call in order, its options in one form, and the key of its plan."""
    for name, array in zip("qkv", (q, k, v)):
        adapter = _arrays.adapter_of(array)
        if adapter is None or adapter is _arrays.PointerAdapter:
            raise ArgumentError(name, type(array).__name__, "an array of NumPy, PyTorch, CuPy or JAX, or an object with __dlpack__")
    arrays: list[Any] = [q, k, v]
    options = Options(causal=bool(causal), window=_window(window), layout=layout, return_lse=bool(return_lse))
    options.scale = None if scale is None else _number("scale", scale, -1e30, 1e30)
    options.softcap = None if softcap is None or softcap == 0 else _number("softcap", softcap, 1e-30, 1e30)
    options.dropout_p = _number("dropout_p", dropout_p, 0, 1)
    if options.dropout_p == 1:
        raise ArgumentError("dropout_p", 1, "less than 1")

    def add(name: str, value: Any, element: str | None) -> None:
        options.arrays[name] = len(arrays)
        arrays.append(value if element is None else _as(name, value, element, q))

    for name, value, element in (("alibi_slopes", alibi_slopes, "f32"), ("bias", bias, None), ("sinks", sinks, "f32"),
                                 ("cu_seqlens_q", cu_seqlens_q, "i32"), ("cu_seqlens_k", cu_seqlens_k, "i32"),
                                 ("kv_lengths", kv_lengths, "i32"), ("page_table", page_table, "i32")):
        if value is not None:
            add(name, value, element)
    if cu_seqlens_k is not None and cu_seqlens_q is None:
        raise ArgumentError("cu_seqlens_q", None, "where sequences of queries begin, beside cu_seqlens_k")
    if cu_seqlens_q is not None and cu_seqlens_k is None:
        if page_table is None and kv_lengths is None:
            options.arrays["cu_seqlens_k"] = options.arrays["cu_seqlens_q"]
    if segment_ids is not None:
        is_pair = isinstance(segment_ids, (tuple, list)) and len(segment_ids) == 2 and _arrays.is_array(segment_ids[0])
        pair = segment_ids if is_pair else (segment_ids, segment_ids)
        add("segment_ids_q", pair[0], "i32")
        add("segment_ids_k", pair[1], "i32")
    keys: list[Any] = []
    if block_mask is not None:
        keys.append(_read_block_mask(block_mask, options, arrays, add))
    for kind, function in (("score", score_mod), ("mask", mask_mod), ("block", options.block_mod)):
        if function is None:
            continue
        if not callable(function):
            raise ArgumentError(f"{kind}_mod", type(function).__name__, "a function")
        closure = Closure(function)
        setattr(options, f"{kind}_mod", function)
        setattr(options, f"{kind}_closure", closure)
        options.closures[kind] = len(arrays)
        arrays += [_converted(a) for a in closure.arrays]
        keys.append((kind, closure.key))
    get_key = _KEYS.get(type(q)) if len(arrays) == 3 and not keys and type(k) is type(q) and type(v) is type(q) else None
    if get_key is not None or (len(arrays) == 3 and not keys):
        get_key = get_key or _first_key(q, k, v)
        if get_key is not None:
            window = tuple(window) if isinstance(window, list) else window
            # Values, not the objects that had them: a 0-d array may have another one in the next call.
            scale, softcap, dropout_p = (x if x is None else float(x) for x in (scale, softcap, dropout_p))
            return tuple(arrays), options, (get_key(q, k, v), (options.causal, window, scale, softcap, dropout_p, layout, options.return_lse))
    described = tuple((_arrays.adapter_of(a).name, _arrays.adapter_of(a).key(a)) for a in arrays)
    grad = any(getattr(a, "requires_grad", False) for a in (q, k, v)) and sys.modules["torch"].is_grad_enabled()
    return tuple(arrays), options, (described, tuple(sorted(options.arrays.items())), tuple(keys), options.causal, options.window, options.scale,
                                    options.softcap, options.dropout_p, layout, options.return_lse, options.block_size, grad)


def _first_key(q: Any, k: Any, v: Any) -> Callable | None:
    kinds = {_arrays.adapter_of(a) for a in (q, k, v)}
    if len({type(a) for a in (q, k, v)}) != 1 or len(kinds) != 1:
        return None
    return _KEY_FUNCTIONS.get(kinds.pop())


def _converted(array: Any) -> Any:
    """A captured array of a type that no kernel reads, of NumPy: as i32 or f32."""
    if _arrays.adapter_of(array) is not _arrays.NumpyAdapter:
        return array
    import numpy
    name = array.dtype.name
    if name in ("int8", "int16", "uint8", "uint16"):
        return array.astype("int32")
    if name in ("uint32", "uint64"):
        return array.astype("int64")
    # Ids are NumPy's int64 by default; documents are recognised by i32.
    if name == "int64" and array.ndim <= 2 and 0 < array.size <= 1 << 20 and -2 ** 31 <= array.min() and array.max() < 2 ** 31:
        return array.astype("int32")
    if array.ndim and array.shape[-1] > 1 and array.strides[-1] != array.itemsize:
        return numpy.ascontiguousarray(array)
    return array


def _read_block_mask(block_mask: Any, options: Options, arrays: list[Any], add: Callable) -> tuple:
    """The lists of FlexAttention's BlockMask, or of an object with the same attributes."""
    missing = [n for n in ("kv_num_blocks", "kv_indices", "BLOCK_SIZE") if not hasattr(block_mask, n)]
    if missing:
        raise ArgumentError("block_mask", f"{type(block_mask).__name__} without {', '.join(missing)}", "FlexAttention's BlockMask, or its attributes")
    size = block_mask.BLOCK_SIZE
    options.block_size = (int(size), int(size)) if isinstance(size, int) else tuple(int(n) for n in size)
    counts, lists = block_mask.kv_num_blocks, block_mask.kv_indices
    full_counts = getattr(block_mask, "full_kv_num_blocks", None)
    full_lists = getattr(block_mask, "full_kv_indices", None)
    if full_counts is None:
        full_counts, full_lists = counts * 0, lists
    for name, value in (("kv_num_blocks", counts), ("kv_indices", lists), ("full_kv_num_blocks", full_counts), ("full_kv_indices", full_lists)):
        add(name, value, "i32")
    function = getattr(block_mask, "mask_mod", None)
    options.block_mod = None if getattr(function, "__name__", "") == "noop_mask" else function
    return ("block_mask", options.block_size)


def manual_seed(seed: int) -> None:
    """Seeds dropout: calls from now on drop the same, in the same order, wherever they run."""
    _plan.random.set(seed)
