//===- PythonCall.cpp - A call that Python made before --------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The package `flash_mlir` asks each tensor for its shape, strides, type and
// address in Python, which takes longer than the launch. Tensors of a type with
// DLPack's exchange API (PyTorch's, from 2.10 on) tell C all of it in some
// nanoseconds, so here is one function for such calls: it finds what was
// prepared for them, makes the results and launches. What it does not know, it
// leaves to Python, which also prepares (python/src/flash_mlir/_shortcut.py).
//
// Nothing of Python is linked, and its headers are not needed: the package
// hands in what is used here, all of it of Python's stable ABI.
//
//===----------------------------------------------------------------------===//

#include "flash-c/Runtime.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

//===----------------------------------------------------------------------===//
// What Python and DLPack hand in
//===----------------------------------------------------------------------===//

extern "C" {

/// Python's.
struct _object;
using PyObject = _object;

/// dlpack.h, version 1: DLTensor and DLPackExchangeAPI.
struct FlashDLTensor {
  void *data;
  int32_t deviceType, deviceId, rank;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t *shape, *strides;
  uint64_t byteOffset;
};
struct FlashDLExchange {
  uint32_t major, minor;
  void *previous, *allocate, *fromObject, *toObject;
  /// Fills in a tensor that borrows from the object; non-zero, with an
  /// exception of Python's, for what has no memory.
  int (*borrow)(PyObject *object, FlashDLTensor *tensor);
  int (*currentStream)(int32_t deviceType, int32_t deviceId, void **stream);
};

/// Objects and functions of the interpreter. `Python` in _shortcut.py.
struct FlashPython {
  const FlashDLExchange *exchange;
  PyObject *none, *tensorType, *requiresGrad, *raiseLastError;
  void (*incRef)(PyObject *);
  void (*decRef)(PyObject *);
  PyObject *(*typeOf)(PyObject *);
  PyObject *(*getAttribute)(PyObject *, PyObject *name);
  int (*isTrue)(PyObject *);
  PyObject *(*makeBytes)(const char *, ptrdiff_t);
  PyObject *(*packTuple)(ptrdiff_t, ...);
  PyObject *(*newTuple)(ptrdiff_t);
  int (*setItem)(PyObject *tuple, ptrdiff_t, PyObject *);
  PyObject *(*getItem)(PyObject *tuple, ptrdiff_t);
  PyObject *(*lookUp)(PyObject *dict, PyObject *key);
  void *(*toPointer)(PyObject *integer);
  long (*toLong)(PyObject *integer);
  PyObject *(*call)(PyObject *);
  void *(*releaseLock)();
  void (*takeLock)(void *);
  void (*clearError)();
  PyObject *(*newFunction)(const struct FlashPythonMethod *, PyObject *self,
                           PyObject *module);
};

/// A call with everything known but addresses. `PreparedCall` in _shortcut.py,
/// which keeps alive what this points to.
struct FlashPreparedCall {
  FlashFunction *function;
  const FlashArgument *arguments, *results;
  /// Which of query, key and value each argument is.
  const int32_t *sources;
  /// Functions that make the results and the workspace, if there is one.
  PyObject *const *makeResults;
  PyObject *makeWorkspace;
  size_t workspaceBytes;
  int32_t numArguments, numResults;
  /// Of several GPUs, what tells the current one, which must be `device`; else
  /// null.
  PyObject *currentDevice;
  int64_t device;
};

/// PyMethodDef.
struct FlashPythonMethod {
  const char *name;
  PyObject *(*function)(PyObject *self, PyObject *const *args, ptrdiff_t count);
  int flags;
  const char *doc;
};

/// Returns the tuple (key, call, forget), functions of Python; `call` looks
/// into the dictionary `prepared`. Called once, with Python's lock held.
FLASH_C_EXPORT PyObject *flashPythonAttach(const FlashPython *given,
                                           PyObject *prepared);
}

static constexpr int kMostRank = 8, kMostArguments = 8, kMostResults = 4;
static constexpr ptrdiff_t kNumOptions = 7;
static constexpr int32_t kDLCUDA = 2;

/// Set once, before any call.
static FlashPython python;

namespace {

/// A reference that is given back.
class Owned {
public:
  Owned() = default;
  explicit Owned(PyObject *object) : object(object) {}
  ~Owned() {
    if (object)
      python.decRef(object);
  }
  Owned(const Owned &) = delete;
  Owned &operator=(const Owned &) = delete;

  /// Takes a reference over.
  void reset(PyObject *other) {
    PyObject *before = object;
    object = other;
    if (before)
      python.decRef(before);
  }
  explicit operator bool() const { return object; }
  PyObject *get() const { return object; }
  PyObject *release() {
    PyObject *given = object;
    object = nullptr;
    return given;
  }

private:
  PyObject *object = nullptr;
};

/// What tells calls from each other that have the same options.
struct Key {
  int64_t words[3 * (2 + 2 * kMostRank)];
  size_t count = 0;

  size_t bytes() const { return count * sizeof(int64_t); }
  bool operator==(const Key &other) const {
    return count == other.count &&
           std::memcmp(words, other.words, bytes()) == 0;
  }
  PyObject *object() const {
    return python.makeBytes(reinterpret_cast<const char *>(words),
                            ptrdiff_t(bytes()));
  }
};

/// Query, key and value.
struct Inputs {
  FlashDLTensor tensors[3];
  Key key;

  /// False, perhaps with an exception, for what Python must look at.
  bool read(PyObject *const *arrays);
};

/// A call that was found in the dictionary of late: looking there takes a sixth
/// of the host's time. Options are the same if they are the same objects, which
/// the tuple keeps, so that no others come to lie at their addresses.
struct Recent {
  Key key;
  PyObject *options[kNumOptions];
  PyObject *tuple = nullptr, *found = nullptr;

  bool is(const Key &other, PyObject *const *given) const {
    return found && std::equal(options, options + kNumOptions, given) &&
           key == other;
  }
};

} // namespace

/// Python's lock guards them.
static Recent recents[4];
static size_t nextRecent = 0;

static void *addressOf(const FlashDLTensor &tensor) {
  return static_cast<char *>(tensor.data) + tensor.byteOffset;
}

bool Inputs::read(PyObject *const *arrays) {
  for (int i = 0; i < 3; ++i) {
    // Of a subclass nobody knows what it is; gradients are an error to tell.
    Owned type(python.typeOf(arrays[i]));
    if (type.get() != python.tensorType)
      return false;
    Owned gradient(python.getAttribute(arrays[i], python.requiresGrad));
    if (!gradient || python.isTrue(gradient.get()) != 0)
      return false;
    FlashDLTensor &tensor = tensors[i];
    if (python.exchange->borrow(arrays[i], &tensor) != 0 ||
        tensor.rank > kMostRank || !tensor.strides)
      return false;
    int64_t *words = key.words;
    words[key.count++] = int64_t(tensor.code) | int64_t(tensor.bits) << 8 |
                         int64_t(tensor.lanes) << 16 |
                         int64_t(tensor.rank) << 32;
    words[key.count++] = int64_t(tensor.deviceType) << 32 | tensor.deviceId;
    for (const int64_t *numbers : {tensor.shape, tensor.strides}) {
      std::copy_n(numbers, tensor.rank, words + key.count);
      key.count += tensor.rank;
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The functions of Python
//===----------------------------------------------------------------------===//

static PyObject *none() {
  python.clearError();
  python.incRef(python.none);
  return python.none;
}

/// key(q, k, v): bytes that are equal for calls that differ in addresses alone;
/// None for arrays that are none of this file's.
static PyObject *getKey(PyObject *, PyObject *const *args, ptrdiff_t count) {
  Inputs inputs;
  return count == 3 && inputs.read(args) ? inputs.key.object() : none();
}

/// Makes an array of Python's and tells where it lies; false, with an
/// exception, if it cannot be made.
static bool make(PyObject *function, Owned &array, void *&address) {
  array.reset(python.call(function));
  FlashDLTensor tensor;
  if (!array || python.exchange->borrow(array.get(), &tensor) != 0)
    return false;
  address = addressOf(tensor);
  return true;
}

/// Null, with an exception, if it could not be done.
static PyObject *launch(const FlashPreparedCall &call, const Inputs &inputs,
                        void *stream) {
  FlashArgument arguments[kMostArguments], results[kMostResults];
  for (int i = 0; i < call.numArguments; ++i) {
    arguments[i] = call.arguments[i];
    arguments[i].data = addressOf(inputs.tensors[call.sources[i]]);
  }
  Owned made[kMostResults], workspace;
  for (int i = 0; i < call.numResults; ++i) {
    results[i] = call.results[i];
    if (!make(call.makeResults[i], made[i], results[i].data))
      return nullptr;
  }
  void *memory = nullptr;
  if (call.makeWorkspace && !make(call.makeWorkspace, workspace, memory))
    return nullptr;
  // The driver may wait here for room in its queue.
  void *lock = python.releaseLock();
  int failed =
      call.makeWorkspace
          ? flashFunctionLaunchWithWorkspace(call.function, arguments, results,
                                             memory, call.workspaceBytes,
                                             stream)
          : flashFunctionLaunch(call.function, arguments, results, stream);
  python.takeLock(lock);
  if (failed)
    return python.call(python.raiseLastError);
  if (call.numResults == 1)
    return made[0].release();
  Owned all(python.newTuple(call.numResults));
  for (int i = 0; all && i < call.numResults; ++i)
    python.setItem(all.get(), i, made[i].release());
  return all.release();
}

/// forget(): what was found in the dictionary, before it is emptied.
static PyObject *forget(PyObject *, PyObject *const *, ptrdiff_t) {
  for (Recent &recent : recents) {
    Owned tuple(recent.tuple), found(recent.found);
    recent.tuple = recent.found = nullptr;
  }
  return none();
}

static void remember(const Key &key, PyObject *const *options, PyObject *tuple,
                     PyObject *found) {
  Recent &recent = recents[nextRecent++ % std::size(recents)];
  Owned oldTuple(recent.tuple), oldFound(recent.found);
  python.incRef(tuple);
  python.incRef(found);
  recent.key = key;
  std::copy_n(options, kNumOptions, recent.options);
  recent.tuple = tuple;
  recent.found = found;
}

/// What is prepared for a call, as a reference of the caller's; null, perhaps
/// with an exception, if nothing is.
static PyObject *find(PyObject *prepared, const Key &key,
                      PyObject *const *options) {
  for (const Recent &recent : recents)
    if (recent.is(key, options)) {
      python.incRef(recent.found);
      return recent.found;
    }
  Owned tuple(python.newTuple(kNumOptions)), bytes(key.object());
  if (!tuple || !bytes)
    return nullptr;
  for (ptrdiff_t i = 0; i < kNumOptions; ++i) {
    python.incRef(options[i]);
    python.setItem(tuple.get(), i, options[i]);
  }
  Owned whole(python.packTuple(2, bytes.get(), tuple.get()));
  PyObject *found = whole ? python.lookUp(prepared, whole.get()) : nullptr;
  if (!found)
    return nullptr;
  python.incRef(found);
  remember(key, options, tuple.get(), found);
  return found;
}

/// call(q, k, v, option, ...): what attention() gives, for calls that are in
/// the dictionary `self`; None for others, which were not made.
static PyObject *callPrepared(PyObject *self, PyObject *const *args,
                              ptrdiff_t count) {
  Inputs inputs;
  if (count != 3 + kNumOptions || !inputs.read(args))
    return none();
  // Others may empty the dictionary while this thread is without the lock.
  Owned known(find(self, inputs.key, args + 3));
  if (!known)
    return none();
  const auto &call = *static_cast<const FlashPreparedCall *>(
      python.toPointer(python.getItem(known.get(), 0)));
  void *stream = nullptr;
  const FlashDLTensor &query = inputs.tensors[0];
  if (query.deviceType == kDLCUDA) {
    if (call.currentDevice) {
      Owned current(python.call(call.currentDevice));
      if (!current || python.toLong(current.get()) != call.device)
        return none();
    }
    if (python.exchange->currentStream(query.deviceType, query.deviceId,
                                       &stream) != 0)
      return none();
  }
  return launch(call, inputs, stream);
}

PyObject *flashPythonAttach(const FlashPython *given, PyObject *prepared) {
  static constexpr int kFastCall = 0x80;
  static const FlashPythonMethod methods[] = {
      {"prepared_key", getKey, kFastCall, nullptr},
      {"prepared_call", callPrepared, kFastCall, nullptr},
      {"forget", forget, kFastCall, nullptr}};
  python = *given;
  for (PyObject *object : {python.none, python.tensorType, python.requiresGrad,
                           python.raiseLastError})
    python.incRef(object);
  Owned key(python.newFunction(&methods[0], nullptr, nullptr));
  Owned call(python.newFunction(&methods[1], prepared, nullptr));
  Owned forget(python.newFunction(&methods[2], nullptr, nullptr));
  return key && call && forget
             ? python.packTuple(3, key.get(), call.get(), forget.get())
             : nullptr;
}
