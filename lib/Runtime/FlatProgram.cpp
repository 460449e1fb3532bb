//===- FlatProgram.cpp - A program made ready for calls -------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Once for each program, when it is compiled or loaded: what all calls compute
// comes first on the tape, then what each step needs for itself.
//
//===----------------------------------------------------------------------===//

#include "FlatProgram.h"
#include "flash/Runtime/CudaDriver.h"

using namespace flash::rt;

namespace {

class Flattener {
public:
  explicit Flattener(FlatProgram &flat)
      : flat(flat),
        builder(ranksOf(flat.program), resultRanksOf(flat.program)) {}

  Status run() {
    const Program &program = flat.program;
    for (const ArgumentInfo &info : program.signature.arguments)
      flat.arguments.push_back(argument(info));
    for (const Check &check : program.checks)
      flat.checks.push_back(
          {check.relation, builder.add(check.lhs), builder.add(check.rhs)});
    for (const ResultInfo &info : program.signature.results)
      flat.results.push_back(result(info));
    for (size_t i = 0; i < program.buffers.size(); ++i)
      if (program.buffers[i].kind == Buffer::Kind::Temporary)
        flat.temporaries.push_back({i, builder.add(program.buffers[i].bytes)});
    std::vector<std::array<Slot, 3>> grids(program.steps.size());
    for (size_t i = 0; i < program.steps.size(); ++i)
      if (auto *launch = std::get_if<Launch>(&program.steps[i]))
        for (int d = 0; d < 3; ++d)
          grids[i][d] = builder.add(launch->grid[d]);
    flat.always = builder.cut();
    builder.keep();
    for (size_t i = 0; i < program.steps.size(); ++i) {
      builder.forget();
      if (auto *launch = std::get_if<Launch>(&program.steps[i]))
        flat.steps.emplace_back(step(i, *launch, grids[i]));
      else
        flat.steps.emplace_back(step(i, *std::get_if<Fill>(&program.steps[i])));
    }
    Result<Tape> tape = builder.take();
    if (tape.failed())
      return tape.status();
    flat.tape = std::move(*tape);
    return Status::success();
  }

private:
  static std::vector<int> ranksOf(const Program &program) {
    std::vector<int> ranks;
    ranks.reserve(program.signature.arguments.size());
    for (const ArgumentInfo &info : program.signature.arguments)
      ranks.push_back(info.isTensor() ? static_cast<int>(info.dims.size())
                                      : -1);
    return ranks;
  }
  static std::vector<int> resultRanksOf(const Program &program) {
    std::vector<int> ranks;
    ranks.reserve(program.signature.results.size());
    for (const ResultInfo &info : program.signature.results)
      ranks.push_back(static_cast<int>(info.dims.size()));
    return ranks;
  }

  FlatTensor argument(const ArgumentInfo &info) {
    FlatTensor tensor;
    tensor.isTensor = info.isTensor();
    tensor.rank = info.dims.size();
    tensor.elementBytes = sizeOf(info.dtype);
    tensor.alignment = info.alignment;
    for (size_t d = 0; d < info.dims.size(); ++d)
      if (info.dims[d])
        tensor.dims.push_back({d, builder.add(*info.dims[d])});
    return tensor;
  }

  FlatTensor result(const ResultInfo &info) {
    FlatTensor tensor;
    tensor.isTensor = true;
    tensor.rank = info.dims.size();
    tensor.elementBytes = sizeOf(info.dtype);
    tensor.alignment = info.alignment;
    std::vector<Slot> dims;
    for (size_t d = 0; d < info.dims.size(); ++d) {
      dims.push_back(builder.add(info.dims[d]));
      tensor.dims.push_back({d, dims.back()});
    }
    flat.resultDims.push_back(std::move(dims));
    return tensor;
  }

  FlatLaunch step(size_t index, const Launch &launch,
                  const std::array<Slot, 3> &grid) {
    FlatLaunch result;
    result.step = index;
    std::copy(grid.begin(), grid.end(), result.grid);
    result.firstParam = flat.numParams;
    for (size_t i = 0; i < launch.params.size(); ++i)
      result.params.push_back(std::visit(
          [&](const auto &param) { return this->param(param, index, i); },
          launch.params[i]));
    flat.numParams += launch.params.size();
    result.range = builder.cut();
    return result;
  }

  FlatFill step(size_t index, const Fill &fill) {
    FlatFill result;
    result.step = index;
    result.buffer = static_cast<size_t>(fill.buffer);
    const Buffer &buffer = flat.program.buffers[result.buffer];
    if (buffer.kind == Buffer::Kind::Result)
      flat.results[static_cast<size_t>(buffer.index)].isDense = true;
    result.offset = builder.add(fill.byteOffset);
    result.bytes = builder.add(fill.bytes);
    result.range = builder.cut();
    return result;
  }

  FlatParam place(FlatParam::Kind kind, size_t bytes) {
    size_t &total = flat.paramBytes;
    total = (total + bytes - 1) / bytes * bytes;
    FlatParam param = {kind, static_cast<uint32_t>(total)};
    total += bytes;
    return param;
  }
  FlatParam param(const PointerParam &param, size_t, size_t) {
    FlatParam flat = place(FlatParam::Kind::Pointer, 8);
    flat.buffer = static_cast<size_t>(param.buffer);
    flat.slot = builder.add(param.byteOffset);
    return flat;
  }
  FlatParam param(const Int64Param &param, size_t, size_t) {
    FlatParam flat = place(FlatParam::Kind::Int64, 8);
    flat.slot = builder.add(param.value);
    return flat;
  }
  FlatParam param(const Int32Param &param, size_t, size_t) {
    FlatParam flat = place(FlatParam::Kind::Int32, 4);
    flat.slot = builder.add(param.value);
    return flat;
  }
  FlatParam param(const Float32Param &, size_t, size_t) {
    return place(FlatParam::Kind::Float32, 4);
  }
  FlatParam param(const RealParam &param, size_t, size_t) {
    FlatParam flat =
        place(FlatParam::Kind::Real, static_cast<size_t>(sizeOf(param.dtype)));
    flat.index = static_cast<size_t>(param.argument);
    return flat;
  }
  FlatParam param(const TensorMapParam &param, size_t step, size_t index) {
    FlatParam result = place(FlatParam::Kind::Map, sizeof(cuda::TensorMap));
    FlatMap map;
    map.step = step;
    map.param = index;
    map.buffer = static_cast<size_t>(param.buffer);
    map.offset = builder.add(param.byteOffset);
    for (const Expr &dim : param.dims)
      map.dims.push_back(builder.add(dim));
    for (const Expr &stride : param.byteStrides)
      map.strides.push_back(builder.add(stride));
    result.index = flat.maps.size();
    flat.maps.push_back(std::move(map));
    return result;
  }

  FlatProgram &flat;
  TapeBuilder builder;
};

} // namespace

Result<std::shared_ptr<const FlatProgram>>
FlatProgram::create(Program program) {
  Status status = program.verify();
  if (status.failed())
    return status;
  auto flat = std::make_shared<FlatProgram>();
  flat->program = std::move(program);
  status = Flattener(*flat).run();
  if (status.failed())
    return status.withContext("'" + flat->program.signature.name + "'");
  return std::shared_ptr<const FlatProgram>(std::move(flat));
}

std::string FlatProgram::nameOf(bool isResult, size_t index) const {
  const Signature &signature = program.signature;
  return (isResult ? "result " : "argument ") + std::to_string(index) + " ('" +
         (isResult ? signature.results[index].name
                   : signature.arguments[index].name) +
         "') of '" + signature.name + "'";
}
