//===- Plan.cpp - Verification of launch plans ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The executor indexes without looking once a program has passed this.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Plan.h"
#include "flash/Runtime/TensorMap.h"

using namespace flash::rt;

namespace {

template <typename T> bool inRange(int index, const std::vector<T> &of) {
  return index >= 0 && static_cast<size_t>(index) < of.size();
}

class Verifier {
public:
  explicit Verifier(const Program &program) : program(program) {
    for (const ArgumentInfo &argument : program.signature.arguments)
      ranks.push_back(
          argument.isTensor() ? static_cast<int>(argument.dims.size()) : -1);
    for (const ResultInfo &result : program.signature.results)
      resultRanks.push_back(static_cast<int>(result.dims.size()));
  }

  Status run() {
    for (const ArgumentInfo &argument : program.signature.arguments)
      for (const std::optional<Expr> &dim : argument.dims)
        if (dim)
          expr(*dim, "argument '" + argument.name + "'");
    for (const ResultInfo &result : program.signature.results)
      for (const Expr &dim : result.dims)
        expr(dim, "result '" + result.name + "'");
    for (size_t i = 0; i < program.buffers.size(); ++i)
      buffer(program.buffers[i], "buffer " + std::to_string(i));
    for (size_t i = 0; i < program.checks.size(); ++i) {
      expr(program.checks[i].lhs, "check " + std::to_string(i));
      expr(program.checks[i].rhs, "check " + std::to_string(i));
    }
    for (const ModuleImage &module : program.modules)
      require(!module.image.empty(), "module '" + module.name + "'",
              "it has no code");
    for (size_t i = 0; i < program.steps.size(); ++i) {
      if (auto *launch = std::get_if<Launch>(&program.steps[i]))
        step(*launch, "launch of '" + launch->kernel + "'");
      else if (auto *fill = std::get_if<Fill>(&program.steps[i]))
        step(*fill, "fill, step " + std::to_string(i));
    }
    return status.withContext("launch plan of '" + program.signature.name +
                              "'");
  }

private:
  /// Keeps the first error.
  void note(const Status &error, const std::string &where) {
    if (status.ok())
      status = error.withContext(where);
  }
  void require(bool condition, const std::string &where, const char *message) {
    if (!condition)
      note(Status::error(message), where);
  }
  void expr(const Expr &expr, const std::string &where) {
    note(expr.verify(ranks), where);
  }
  /// Of a launch or a fill, which know strides of results too.
  void stepExpr(const Expr &expr, const std::string &where) {
    note(expr.verify(ranks, resultRanks), where);
  }
  void bufferIndex(int index, const std::string &where) {
    require(inRange(index, program.buffers), where, "there is no such buffer");
  }

  void buffer(const Buffer &buffer, const std::string &where) {
    const Signature &signature = program.signature;
    switch (buffer.kind) {
    case Buffer::Kind::Argument:
      require(inRange(buffer.index, signature.arguments) &&
                  ranks[static_cast<size_t>(buffer.index)] >= 0,
              where, "there is no such tensor argument");
      return;
    case Buffer::Kind::Result:
      require(inRange(buffer.index, signature.results), where,
              "there is no such result");
      return;
    case Buffer::Kind::Temporary:
      expr(buffer.bytes, where);
      return;
    }
  }

  void step(const Launch &launch, const std::string &where) {
    require(inRange(launch.module, program.modules), where,
            "there is no such module");
    uint64_t threads = 1, blocks = 1;
    for (int i = 0; i < 3; ++i) {
      expr(launch.grid[i], where);
      threads *= launch.block[i];
      blocks *= launch.cluster[i];
      require(launch.block[i] <= 1024 && launch.cluster[i] <= 16, where,
              "block or cluster dimension out of range");
    }
    require(threads >= 1 && threads <= 1024, where,
            "a block has 1 to 1024 threads");
    require(blocks >= 1 && blocks <= 16, where, "a cluster has 1 to 16 blocks");
    for (size_t i = 0; i < launch.params.size(); ++i)
      std::visit(
          [&](const auto &p) {
            param(p, where + ", parameter " + std::to_string(i));
          },
          launch.params[i]);
  }

  void step(const Fill &fill, const std::string &where) {
    bufferIndex(fill.buffer, where);
    expr(fill.byteOffset, where);
    expr(fill.bytes, where);
  }

  void param(const PointerParam &param, const std::string &where) {
    bufferIndex(param.buffer, where);
    stepExpr(param.byteOffset, where);
  }
  void param(const Int64Param &param, const std::string &where) {
    stepExpr(param.value, where);
  }
  void param(const Int32Param &param, const std::string &where) {
    stepExpr(param.value, where);
  }
  void param(const Float32Param &, const std::string &) {}
  void param(const RealParam &param, const std::string &where) {
    require(inRange(param.argument, program.signature.arguments) &&
                program.signature.arguments[param.argument].isReal,
            where, "there is no such number");
  }
  void param(const TensorMapParam &param, const std::string &where) {
    bufferIndex(param.buffer, where);
    stepExpr(param.byteOffset, where);
    for (const Expr &dim : param.dims)
      stepExpr(dim, where);
    for (const Expr &stride : param.byteStrides)
      stepExpr(stride, where);
    note(verifyTensorMap(param), where);
  }

  const Program &program;
  std::vector<int> ranks, resultRanks;
  Status status = Status::success();
};

} // namespace

Status Program::verify() const { return Verifier(*this).run(); }

size_t flash::rt::paramSize(const Param &param) {
  struct Sizes {
    size_t operator()(const PointerParam &) { return sizeof(uint64_t); }
    size_t operator()(const Int64Param &) { return sizeof(int64_t); }
    size_t operator()(const Int32Param &) { return sizeof(int32_t); }
    size_t operator()(const Float32Param &) { return sizeof(float); }
    size_t operator()(const RealParam &param) {
      return static_cast<size_t>(sizeOf(param.dtype));
    }
    size_t operator()(const TensorMapParam &) {
      return sizeof(cuda::TensorMap);
    }
  };
  return std::visit(Sizes{}, param);
}

std::string Program::nameOfBuffer(int index) const {
  const Buffer &buffer = buffers[static_cast<size_t>(index)];
  size_t position = static_cast<size_t>(buffer.index);
  switch (buffer.kind) {
  case Buffer::Kind::Argument:
    return "argument " + std::to_string(buffer.index) + " ('" +
           signature.arguments[position].name + "')";
  case Buffer::Kind::Result:
    return "result " + std::to_string(buffer.index) + " ('" +
           signature.results[position].name + "')";
  case Buffer::Kind::Temporary:
    return "temporary '" + buffer.name + "'";
  }
  return "?";
}
