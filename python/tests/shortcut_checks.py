# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What test_shortcut.py runs, each check in a process of its own: `shortcut_checks.py torch|stand-in CHECK`.

`torch` is PyTorch's tensors of the host; the stand-in counts what it is asked, and has devices for a driver that does nothing.
"""

import collections
import gc
import os
import sys
import threading

import numpy as np

import flash_mlir
from flash_mlir import _attention, _shortcut, attention

torch = None  # set by main


def tensors(shape=(2, 4, 70, 32), seed=0, dtype="float32", turned=False):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for _ in range(3)]
    if turned:
        arrays = [a.swapaxes(1, 2) for a in arrays]
    return arrays, [torch.from_numpy(a) for a in arrays]


def numbers(tensor):
    return tensor.array if hasattr(tensor, "array") else tensor.numpy()


def is_prepared(q, k, v, **options):
    """Whether the library knows the call by itself."""
    plain = {"causal": False, "window": None, "scale": None, "softcap": None, "dropout_p": 0.0, "layout": "bhsd", "return_lse": False, **options}
    return _shortcut.call(q, k, v, *plain.values()) is not None


def expect(error, words, function, *arguments, **options):
    try:
        function(*arguments, **options)
    except error as found:
        assert words in str(found), found
        return str(found)
    raise AssertionError(f"no {error.__name__}")


def same(results, expected):
    results, expected = (x if isinstance(x, tuple) else (x,) for x in (results, expected))
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected):
        assert type(result) is torch.Tensor and tuple(result.shape) == wanted.shape
        np.testing.assert_array_equal(numbers(result), wanted)


def check_results():
    """The second call, the library's own, gives the bits of NumPy's, in every form that changes from call to call."""
    forms = [{}, {"causal": True}, {"causal": True, "return_lse": True}, {"window": (5, None)}, {"scale": 0.3}, {"softcap": 4.0}, {"layout": "bshd"}]
    calls = [((2, 4, 70, 32), "float32", options) for options in forms]
    calls += [((1, 4, 33, 32), "float32", {}), ((2, 2, 70, 64), "float32", {}), ((2, 4, 70, 32), "float64", {}), ((2, 4, 70, 32), "float16", {})]
    for turn in range(3):
        for shape, dtype, options in calls:
            for turned in (False, True):
                arrays, given = tensors(shape, turn, dtype, turned)
                same(attention(*given, **options), attention(*arrays, **options))
                assert is_prepared(*given, **options)


def check_options():
    """Options that are no plain values, or that change in place."""
    arrays, given = tensors()
    for _ in range(3):
        same(attention(*given, window=[5, 2]), attention(*arrays, window=(5, 2)))
        for scale in (np.float32(0.5), np.array(0.25), 1):
            same(attention(*given, scale=scale), attention(*arrays, scale=float(scale)))
    for text in ("0.3", "0.7", "0.3", "0.25", "0.7") * 4:  # numbers that come to lie where others lay
        same(attention(*given, scale=float(text)), attention(*arrays, scale=float(text)))
    changing = np.array(0.5)
    same(attention(*given, scale=changing), attention(*arrays, scale=0.5))
    changing[...] = 0.25
    same(attention(*given, scale=changing), attention(*arrays, scale=0.25))
    flash_mlir.manual_seed(3)
    first = numbers(attention(*given, dropout_p=0.5))
    assert not np.array_equal(first, numbers(attention(*given, dropout_p=0.5)))
    flash_mlir.manual_seed(3)
    assert np.array_equal(first, numbers(attention(*given, dropout_p=0.5))) and not is_prepared(*given, dropout_p=0.5)


def check_memory_that_is_used_again():
    """A tensor may come to lie where another one lay."""
    places = collections.Counter()
    for seed in range(40):
        arrays, given = tensors(seed=seed)
        same(attention(*given, causal=True), attention(*arrays, causal=True))
        places[given[0].data_ptr()] += 1
        del arrays, given
    assert max(places.values()) > 1


def check_gradients():
    arrays, given = tensors()
    expected = attention(*arrays)
    same(attention(*given), expected)
    for i, name in enumerate("qkv"):
        given[i].requires_grad = True
        for _ in range(2):
            expect(flash_mlir.ArgumentError, f"{name}: got a tensor that requires grad", attention, *given)
        with torch.no_grad():
            same(attention(*given), expected)
        given[i].requires_grad = False
        same(attention(*given), expected)


def check_errors():
    """What is wrong is said in the same words, whether a call like it was prepared or not."""
    _, (q, k, v) = tensors()
    for _ in range(2):
        attention(q, k, v)
        _, (_, _, short) = tensors((2, 4, 60, 32))
        expect(flash_mlir.ArgumentError, "v", attention, q, k, short)
        expect(flash_mlir.ArgumentError, "window", attention, q, k, v, window=(1, 2, 3))
        expect(flash_mlir.ArgumentError, "k: got int", attention, q, 3, v)
        _, (_, _, other) = tensors(dtype="float64")
        expect(flash_mlir.FlashError, "", attention, q, k, other)
        expect(TypeError, "unexpected keyword argument 'causl'", attention, q, k, v, causl=True)


def check_kinds():
    """Subclasses and arrays of other libraries go their own way."""
    arrays, given = tensors()
    same(attention(*given), attention(*arrays))
    if hasattr(given[0], "array"):
        class Own(torch.Tensor):
            pass
        own = [Own(a) for a in arrays]
    else:
        class Own(torch.Tensor):
            pass
        own = [t.as_subclass(Own) for t in given]
    assert not is_prepared(*own) and not is_prepared(*arrays) and not is_prepared(own[0], given[1], given[2])
    assert np.array_equal(numbers(attention(*own)), attention(*arrays))


def check_threads():
    flash_mlir.set_num_threads(1)
    wanted = {}
    for n in range(4):
        arrays, given = tensors((1, 2, 30 + n, 16), n)
        wanted[n] = given, attention(*arrays, causal=True, return_lse=True)
    wrong = []

    def work(n):
        try:
            for turn in range(100):
                given, expected = wanted[(n + turn) % 4]
                same(attention(*given, causal=True, return_lse=True), expected)
                if n == 0 and turn % 10 == 9:
                    _attention._plans.clear()
                    _shortcut.clear()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def check_plans_are_bounded():
    _attention.MOST_PLANS = 8
    for n in range(1, 30):
        arrays, given = tensors((1, 2, n, 16))
        same(attention(*given), attention(*arrays))
        assert is_prepared(*given) and len(_shortcut._prepared) <= 8


def check_references():
    """Nothing is kept, and nothing is given back twice."""
    arrays, given = tensors((1, 2, 8, 16))
    options = {"causal": True, "return_lse": True}
    for _ in range(10):
        attention(*given, **options)
    things = [None, True, torch.Tensor, "requires_grad", *given, _shortcut._prepared, next(iter(_shortcut._prepared.values()))]
    references, blocks = [], []
    # Python's own lists of things to use again fill up in the first round.
    for _ in range(4):
        for _ in range(1000):
            attention(*given, **options)
        gc.collect()
        references.append([sys.getrefcount(x) for x in things])
        blocks.append(sys.getallocatedblocks())
    assert max(abs(a - b) for a, b in zip(references[1], references[-1])) < 100, references
    assert blocks[-1] - blocks[1] < 100, blocks


def functions_run(call):
    """Functions of Python and of C that run in a call, by name; not those that the tensors' library runs in its own."""
    seen, package = collections.Counter(), os.path.dirname(flash_mlir.__file__)

    def see(frame, event, argument):
        caller = frame.f_back if event == "call" else frame
        if event in ("call", "c_call") and caller is not None and caller.f_code.co_filename.startswith((package, __file__)):
            seen[frame.f_code.co_name if event == "call" else argument.__name__] += 1

    sys.setprofile(see)
    try:
        call()
    finally:
        sys.setprofile(None)
    del seen["setprofile"]
    return dict(seen)


def check_work():
    """A prepared call is one function of Python's and one of C's, which asks each tensor once."""
    _, (q, k, v) = tensors()

    def call():
        attention(q, k, v, causal=True)

    call()
    asked = {"_borrow": 4, "_empty_strided": 1} if hasattr(q, "array") else {}  # PyTorch's are not seen
    assert functions_run(call) == {"call": 1, "attention": 1, "prepared_call": 1, **asked}, functions_run(call)


def check_without():
    """Older PyTorch has no exchange API: nothing is prepared, and the plans of Python do it."""
    arrays, given = tensors()

    def call():
        return attention(*given, causal=True)

    for _ in range(3):
        same(call(), attention(*arrays, causal=True))
    assert not is_prepared(*given, causal=True)
    assert sum(functions_run(call).values()) <= 21, functions_run(call)


def check_device():
    """On a device (the stand-in's): streams, workspaces, launches that fail, results that cannot be made."""
    import stand_in_torch as stand_in
    counts, state = stand_in.counts, stand_in._state
    _, given = tensors((1, 4, 128, 128), dtype="float16")
    for options, made in (({"causal": True}, 1), ({"causal": True, "return_lse": True}, 2), ({}, None)):
        attention(*given, **options)
        plan = list(_attention._plans.values())[-1]
        assert plan.function.on_device
        made = made or 1 + (plan.workspace is not None)
        counts.update(dict.fromkeys(counts, 0))
        attention(*given, **options)
        assert counts == {"borrowed": 3 + made, "made": made, "streams": 1, "guards": 0}, counts
    options = {"causal": True}
    # What fails behind the shortcut is what fails without it.
    address, given[1].address = given[1].address, given[1].address + 2
    message = expect(flash_mlir.FlashError, "16", attention, *given, **options)
    known = dict(_shortcut._prepared)
    _shortcut.clear()
    assert expect(flash_mlir.FlashError, "16", attention, *given, **options) == message
    _shortcut._prepared.update(known)
    given[1].address = address
    state["fail"] = True
    expect(MemoryError, "no memory left", attention, *given, **options)
    state["fail"] = False
    attention(*given, **options)


def check_devices():
    """Of several devices the tensors' is taken: by itself if it is the current one."""
    import stand_in_torch as stand_in
    counts, state = stand_in.counts, stand_in._state
    _, given = tensors((1, 4, 128, 128), dtype="float16")
    for current, guards in ((0, 0), (1, 1), (0, 0)):
        state["current"] = current
        attention(*given, causal=True)
        counts["guards"] = 0
        attention(*given, causal=True)
        assert counts["guards"] == guards and state["current"] == current


def main(library, check):
    global torch
    if library == "torch":
        import torch as real
        torch = real
    else:
        import stand_in_torch as stand_in
        torch = stand_in.install(*{"check_device": (0, 1), "check_devices": (0, 2), "check_without": (-1, 1, False)}.get(check, ()))
    globals()[check]()


if __name__ == "__main__":
    main(*sys.argv[1:])
