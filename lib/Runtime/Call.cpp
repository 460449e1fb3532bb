//===- Call.cpp - A program bound to the arguments of a call --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that a call can get wrong is found here, before anything is
// launched. The compiler's own sizes are checked against the buffers too: an
// offset or a tensor map beyond its buffer is an error, not a stray write.
//
//===----------------------------------------------------------------------===//

#include "Call.h"

#include <algorithm>

using namespace flash::rt;

//===----------------------------------------------------------------------===//
// The call against the signature
//===----------------------------------------------------------------------===//

/// Dimensions that are not negative, of a size that 64 bits hold, with memory
/// unless there are no elements. `name` makes the tensor's name, for errors
/// only: a call that is right builds no strings.
template <typename Name>
static Status checkTensor(Name name, DType dtype, const Argument &tensor) {
  Result<int64_t> count = countElements(tensor.dims);
  if (count.failed())
    return count.status().withContext(name());
  int64_t bytes;
  if (__builtin_mul_overflow(*count, sizeOf(dtype), &bytes))
    return Status::error(name() + ": " + shapeToString(tensor.dims) +
                         " does not fit in 64-bit addresses");
  if (bytes > 0 && tensor.address == 0)
    return Status::error(name() + ": " + shapeToString(tensor.dims) +
                         " at address 0");
  return Status::success();
}

static std::string count(size_t number, const char *noun) {
  return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
}

static bool holds(Check::Relation relation, int64_t lhs, int64_t rhs) {
  switch (relation) {
  case Check::Relation::Equal:
    return lhs == rhs;
  case Check::Relation::EqualOrOne:
    return lhs == rhs || lhs == 1;
  case Check::Relation::LessEqual:
    return lhs <= rhs;
  case Check::Relation::Divisible:
    // Nothing but 0 is a multiple of 0; -1 would overflow on INT64_MIN.
    return rhs == 0 ? lhs == 0 : rhs == -1 || lhs % rhs == 0;
  }
  return false;
}

static void replaceAll(std::string &text, const std::string &from,
                       const std::string &to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos;
       at += to.size())
    text.replace(at, from.size(), to);
}

Status flash::rt::checkArguments(const Program &program,
                                 const std::vector<Argument> &arguments) {
  const Signature &signature = program.signature;
  if (arguments.size() != signature.arguments.size())
    return Status::error("'" + signature.name + "' takes " +
                         count(signature.arguments.size(), "argument") +
                         ", but " + std::to_string(arguments.size()) +
                         " were given");
  auto name = [&](size_t i) {
    return "argument " + std::to_string(i) + " ('" +
           signature.arguments[i].name + "') of '" + signature.name + "'";
  };
  // Kinds and ranks of all first: expressions refer to any of them.
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ArgumentInfo &info = signature.arguments[i];
    if (info.isIndex != arguments[i].isIndex)
      return Status::error(name(i) + " is " +
                           (info.isIndex ? "an index, but a tensor was given"
                                         : "a tensor, but an index was given"));
    if (info.dims.size() != arguments[i].dims.size())
      return Status::error(name(i) + " has rank " +
                           std::to_string(info.dims.size()) + ", but " +
                           shapeToString(arguments[i].dims) + " was given");
  }
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ArgumentInfo &info = signature.arguments[i];
    if (info.isIndex)
      continue;
    for (size_t d = 0; d < info.dims.size(); ++d) {
      if (!info.dims[d])
        continue;
      Result<int64_t> expected = info.dims[d]->evaluate(arguments);
      if (expected.failed())
        return expected.status().withContext(name(i));
      if (*expected != arguments[i].dims[d])
        return Status::error(name(i) + ": dimension " + std::to_string(d) +
                             " is " + std::to_string(arguments[i].dims[d]) +
                             ", but must be " + std::to_string(*expected));
    }
    Status status =
        checkTensor([&] { return name(i); }, info.dtype, arguments[i]);
    if (status.failed())
      return status;
  }
  for (const Check &check : program.checks) {
    Result<int64_t> lhs = check.lhs.evaluate(arguments);
    Result<int64_t> rhs = check.rhs.evaluate(arguments);
    for (const Result<int64_t> *side : {&lhs, &rhs})
      if (side->failed())
        return side->status().withContext("'" + signature.name + "'");
    if (holds(check.relation, *lhs, *rhs))
      continue;
    std::string message = check.message;
    replaceAll(message, "{lhs}", std::to_string(*lhs));
    replaceAll(message, "{rhs}", std::to_string(*rhs));
    return Status::error("'" + signature.name + "': " + message);
  }
  return Status::success();
}

Result<std::vector<std::vector<int64_t>>>
flash::rt::evaluateResultShapes(const Program &program,
                                const std::vector<Argument> &arguments) {
  std::vector<std::vector<int64_t>> shapes;
  for (const ResultInfo &info : program.signature.results) {
    std::vector<int64_t> shape;
    for (const Expr &dim : info.dims) {
      Result<int64_t> size = dim.evaluate(arguments);
      if (size.ok() && *size < 0)
        size = Status::error("dimension " + std::to_string(shape.size()) +
                             " is negative: " + std::to_string(*size));
      if (size.failed())
        return size.status().withContext("result '" + info.name + "' of '" +
                                         program.signature.name + "'");
      shape.push_back(*size);
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

Status flash::rt::checkResults(const Program &program,
                               const std::vector<Argument> &arguments,
                               const std::vector<Argument> &results) {
  Result<std::vector<std::vector<int64_t>>> shapes =
      evaluateResultShapes(program, arguments);
  if (shapes.failed())
    return shapes.status();
  const Signature &signature = program.signature;
  if (results.size() != shapes->size())
    return Status::error("'" + signature.name + "' has " +
                         count(shapes->size(), "result") + ", but " +
                         std::to_string(results.size()) + " were given");
  for (size_t i = 0; i < results.size(); ++i) {
    auto name = [&] {
      return "result " + std::to_string(i) + " ('" + signature.results[i].name +
             "') of '" + signature.name + "'";
    };
    if (results[i].isIndex || results[i].dims != (*shapes)[i])
      return Status::error(
          name() + " is " + shapeToString((*shapes)[i]) + ", but " +
          (results[i].isIndex ? "an index" : shapeToString(results[i].dims)) +
          " was given");
    Status status = checkTensor(name, signature.results[i].dtype, results[i]);
    if (status.failed())
      return status;
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

namespace {

template <typename... Fs> struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs> Overloaded(Fs...) -> Overloaded<Fs...>;

/// Binds steps, and keeps the first error.
class Binder {
public:
  Binder(const Program &program, const std::vector<Argument> &arguments,
         const std::vector<BufferView> &views, const cuda::Driver &driver,
         TensorMapCache &maps)
      : program(program), arguments(arguments), views(views), driver(driver),
        maps(maps) {}

  Result<std::vector<BoundStep>> run() {
    std::vector<BoundStep> bound;
    for (size_t i = 0; i < program.steps.size() && status.ok(); ++i) {
      if (auto *launch = std::get_if<Launch>(&program.steps[i])) {
        BoundLaunch result;
        result.step = i;
        if (bindGrid(*launch, result.geometry)) {
          for (const Param &param : launch->params)
            result.params.push_back(bindParam(*launch, param));
          bound.push_back(std::move(result));
        }
      } else if (auto *fill = std::get_if<Fill>(&program.steps[i])) {
        BoundFill result;
        result.bytes = evaluate(fill->bytes);
        result.value = fill->value;
        result.address =
            bindAddress(fill->buffer, fill->byteOffset, result.bytes);
        if (result.bytes > 0)
          bound.push_back(result);
      }
    }
    if (status.failed())
      return status.withContext("'" + program.signature.name + "'");
    return bound;
  }

private:
  void note(Status error) {
    if (status.ok())
      status = std::move(error);
  }

  int64_t evaluate(const Expr &expr) {
    Result<int64_t> value = expr.evaluate(arguments);
    if (value.ok())
      return *value;
    note(value.status());
    return 0;
  }

  /// False when there is nothing to launch.
  bool bindGrid(const Launch &launch, cuda::LaunchGeometry &geometry) {
    // The limits of every device since compute capability 3.0.
    static constexpr int64_t kLimits[] = {INT32_MAX, 65535, 65535};
    bool empty = false;
    for (int i = 0; i < 3; ++i) {
      int64_t size = evaluate(launch.grid[i]);
      empty |= size == 0;
      if (size < 0 || size > kLimits[i])
        note(Status::error("the grid of '" + launch.kernel + "' has " +
                           std::to_string(size) + " blocks along " + "xyz"[i] +
                           ", not within 0 to " + std::to_string(kLimits[i])));
      else if (size % std::max<int64_t>(launch.cluster[i], 1) != 0)
        note(Status::error("the grid of '" + launch.kernel + "' has " +
                           std::to_string(size) + " blocks along " + "xyz"[i] +
                           ", not a multiple of its cluster's " +
                           std::to_string(launch.cluster[i])));
      geometry.grid[i] = static_cast<unsigned>(size);
      geometry.block[i] = launch.block[i];
      geometry.cluster[i] = launch.cluster[i];
    }
    geometry.sharedBytes = launch.dynamicSharedBytes;
    return !empty && status.ok();
  }

  /// The address of `bytes` bytes at an offset in a buffer.
  uint64_t bindAddress(int buffer, const Expr &offset, int64_t bytes) {
    const BufferView &view = views[static_cast<size_t>(buffer)];
    int64_t begin = evaluate(offset);
    if (begin < 0 || bytes < 0 || begin > view.bytes ||
        bytes > view.bytes - begin)
      note(Status::error(std::to_string(bytes) + " bytes at offset " +
                         std::to_string(begin) + " are not within the " +
                         std::to_string(view.bytes) + " of " +
                         program.nameOfBuffer(buffer)));
    return view.address + static_cast<uint64_t>(begin);
  }

  ParamValue bindParam(const Launch &launch, const Param &param) {
    ParamValue value = {};
    std::visit(Overloaded{
                   [&](const PointerParam &p) {
                     value.pointer = bindAddress(p.buffer, p.byteOffset, 0);
                   },
                   [&](const Int64Param &p) { value.i64 = evaluate(p.value); },
                   [&](const Int32Param &p) {
                     int64_t wide = evaluate(p.value);
                     value.i32 = static_cast<int32_t>(wide);
                     if (value.i32 != wide)
                       note(Status::error("parameter " + p.value.str() +
                                          " of '" + launch.kernel + "' is " +
                                          std::to_string(wide) +
                                          ", beyond 32 bits"));
                   },
                   [&](const Float32Param &p) { value.f32 = p.value; },
                   [&](const TensorMapParam &p) { value.map = bindMap(p); },
               },
               param);
    return value;
  }

  cuda::TensorMap bindMap(const TensorMapParam &param) {
    TensorMapValues values;
    // From the first byte to the one after the last.
    int64_t extent = sizeOf(param.dtype);
    bool overflow = false, empty = false;
    for (size_t i = 0; i < param.dims.size(); ++i) {
      int64_t dim = evaluate(param.dims[i]);
      int64_t stride =
          i == 0 ? sizeOf(param.dtype) : evaluate(param.byteStrides[i - 1]);
      values.dims.push_back(dim);
      if (i > 0)
        values.byteStrides.push_back(stride);
      int64_t span = 0;
      overflow |= __builtin_mul_overflow(dim - 1, stride, &span) ||
                  __builtin_add_overflow(extent, span, &extent);
      empty |= dim == 0;
    }
    if (overflow && !empty)
      note(Status::error("the tensor map of " +
                         program.nameOfBuffer(param.buffer) +
                         " does not fit in 64 bits"));
    values.address = bindAddress(param.buffer, param.byteOffset,
                                 empty || status.failed() ? 0 : extent);
    if (status.failed())
      return {};
    Result<cuda::TensorMap> map = maps.get(driver, param, values, program);
    if (map.ok())
      return *map;
    note(map.status());
    return {};
  }

  const Program &program;
  const std::vector<Argument> &arguments;
  const std::vector<BufferView> &views;
  const cuda::Driver &driver;
  TensorMapCache &maps;
  Status status = Status::success();
};

} // namespace

size_t flash::rt::paramSize(const Param &param) {
  return std::visit(
      Overloaded{
          [](const PointerParam &) { return sizeof(uint64_t); },
          [](const Int64Param &) { return sizeof(int64_t); },
          [](const Int32Param &) { return sizeof(int32_t); },
          [](const Float32Param &) { return sizeof(float); },
          [](const TensorMapParam &) { return sizeof(cuda::TensorMap); },
      },
      param);
}

Result<std::vector<BoundStep>>
flash::rt::bindSteps(const Program &program,
                     const std::vector<Argument> &arguments,
                     const std::vector<BufferView> &views,
                     const cuda::Driver &driver, TensorMapCache &maps) {
  return Binder(program, arguments, views, driver, maps).run();
}
