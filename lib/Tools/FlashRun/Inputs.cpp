//===- Inputs.cpp - Arguments from files, options and a seed --------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files first, because they fix sizes; then --dim; then defaults; then the
// remaining tensors are made. Nothing is allocated before the sizes have been
// held against the machine's memory.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Npy.h"
#include "flash/Runtime/Random.h"
#include "flash/Tools/FlashRun/FlashRun.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <unistd.h>

#include <cstring>

using namespace flash;
using llvm::StringRef;
using rt::Array;
using rt::Result;
using rt::Status;

/// Larger than any position; sums of a few of them do not overflow.
static constexpr int64_t kLargestScalar = int64_t(1) << 56;

static Status splitSetting(StringRef option, StringRef text, StringRef &name,
                           int64_t &value) {
  StringRef number;
  std::tie(name, number) = text.split('=');
  if (name.empty() || number.getAsInteger(10, value))
    return Status::error(
        (option + "=" + text + ": NAME=N is needed, with an integer N").str());
  return Status::success();
}

static Status splitScalar(StringRef text, StringRef &name, StringRef &number) {
  std::tie(name, number) = text.split('=');
  if (name.empty() || number.empty())
    return Status::error(("--scalar=" + text + ": NAME=N is needed").str());
  return Status::success();
}

static Status checkScalar(const SignatureArgument &argument, int64_t value) {
  if (!argument.isSeed && (value > kLargestScalar || value < -kLargestScalar))
    return Status::error((argument.name + " = " + llvm::Twine(value) +
                          " is beyond what a position can be (2^56)")
                             .str());
  return Status::success();
}

Status flash::checkMemory(double bytes) {
  double present =
      double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGE_SIZE));
  if (bytes <= present)
    return Status::success();
  auto gigabytes = [](double bytes) {
    return llvm::formatv("{0:f1} GiB", bytes / double(1 << 30)).str();
  };
  return Status::error("the arrays need " + gigabytes(bytes) +
                       ", but this machine has " + gigabytes(present));
}

static bool isFloat8(rt::DType type) {
  return type == rt::DType::F8E4M3FN || type == rt::DType::F8E5M2;
}

namespace {

/// Fills the arguments in the order that the file's comment gives.
class InputMaker {
public:
  InputMaker(const FunctionSignature &signature, const FlashRunOptions &options)
      : signature(signature), options(options), sizes(signature),
        arrays(signature.arguments.size()), scalars(signature.arguments.size()),
        reals(signature.arguments.size()) {}

  Result<RunInputs> make() {
    for (auto step : {&InputMaker::readFiles, &InputMaker::readScalars,
                      &InputMaker::readDims}) {
      Status status = (this->*step)();
      if (status.failed())
        return status;
    }
    inputs.defaults = sizes.setDefaults();
    Status status = makeArrays();
    if (status.failed())
      return status;
    return std::move(inputs);
  }

private:
  Status readFiles() {
    if (options.inputs.size() > signature.arguments.size())
      return Status::error(
          "--input is given " + std::to_string(options.inputs.size()) +
          " times, but @" + signature.name + " has " +
          std::to_string(signature.arguments.size()) + " arguments");
    for (auto [index, text] : llvm::enumerate(options.inputs)) {
      if (text == "normal")
        continue;
      const SignatureArgument &argument = signature.arguments[index];
      if (argument.isIndex || argument.isReal) {
        if (Status status = setScalar(index, text, "--input=" + text);
            status.failed())
          return status;
        continue;
      }
      Result<Array> array = rt::readNpy(text);
      if (array.failed())
        return array.status();
      // A file does not say which float of 8 bits it holds.
      if (isFloat8(array->dtype()) && isFloat8(argument.dtype)) {
        Result<Array> same = Array::create(argument.dtype, array->shape());
        if (same.failed())
          return same.status();
        std::memcpy(same->data(), array->data(), array->sizeInBytes());
        array = std::move(same);
      }
      if (array->dtype() != argument.dtype)
        return Status::error("'" + text + "' has elements of type " +
                             rt::nameOf(array->dtype()) + ", but argument " +
                             std::to_string(index) + " ('" + argument.name +
                             "') has " + rt::nameOf(argument.dtype));
      if (array->rank() != int64_t(argument.symbols.size()))
        return Status::error(
            "'" + text + "' has shape " + rt::shapeToString(array->shape()) +
            ", but argument " + std::to_string(index) + " ('" + argument.name +
            "') has " + std::to_string(argument.symbols.size()) +
            " dimensions");
      sizes.setShape(index, array->shape());
      arrays[index] = std::make_shared<Array>(std::move(*array));
    }
    return Status::success();
  }

  /// Sets a number from its text; `option` is what it was given as.
  Status setScalar(size_t index, StringRef text, const std::string &option) {
    const SignatureArgument &argument = signature.arguments[index];
    if (argument.isReal) {
      double number;
      if (text.getAsDouble(number))
        return Status::error(option + ": argument " + std::to_string(index) +
                             " is a floating-point number, as 0.125");
      reals[index] = number;
      return Status::success();
    }
    int64_t value;
    if (text.getAsInteger(10, value))
      return Status::error(option + ": argument " + std::to_string(index) +
                           " is an index, so that a number is needed");
    scalars[index] = value;
    return checkScalar(argument, value);
  }

  Status readScalars() {
    for (const std::string &text : options.scalars) {
      StringRef name, number;
      Status status = splitScalar(text, name, number);
      if (status.failed())
        return status;
      auto isScalar = [](const SignatureArgument &argument) {
        return argument.isIndex || argument.isReal;
      };
      int index = signature.findArgument(name);
      if (index < 0 || !isScalar(signature.arguments[index])) {
        std::vector<std::string> names;
        for (const SignatureArgument &argument : signature.arguments)
          if (isScalar(argument))
            names.push_back(argument.name);
        return Status::error(
            "@" + signature.name + " has no index argument called '" +
            name.str() + "'; " +
            (names.empty() ? "it has none"
                           : "there is " + llvm::join(names, ", ")));
      }
      status = setScalar(index, number, "--scalar=" + text);
      if (status.failed())
        return status;
    }
    return Status::success();
  }

  Status readDims() {
    for (const std::string &text : options.dims) {
      StringRef name;
      int64_t value;
      Status status = splitSetting("--dim", text, name, value);
      if (status.ok())
        status = sizes.set(name, value);
      if (status.failed())
        return status;
    }
    return Status::success();
  }

  /// An IO report does not look at numbers, so that it can be had for sizes
  /// beyond this machine's memory; at run-time data of masks it does.
  bool onlyShape(const SignatureArgument &argument) const {
    return (options.shapesOnly || !options.ioReport.empty()) &&
           !argument.isAsked;
  }

  Status makeArrays() {
    double bytes = 0;
    for (auto [index, argument] : llvm::enumerate(signature.arguments)) {
      double size = argument.isIndex || argument.isReal || onlyShape(argument)
                        ? 0
                        : rt::sizeOf(argument.dtype);
      for (int64_t dim : sizes.shape(index))
        size *= double(dim);
      bytes += size;
    }
    Status status = checkMemory(bytes);
    if (status.failed())
      return status;

    for (auto [index, argument] : llvm::enumerate(signature.arguments)) {
      if (argument.isIndex) {
        // With 0 many a mask that captures it hides every key.
        int64_t other = argument.role == "capture" ? 4 : 0;
        if (!scalars[index])
          inputs.defaults.push_back(argument.name + " = " +
                                    std::to_string(other));
        inputs.values.push_back(scalars[index].value_or(other));
        continue;
      }
      if (argument.isReal) {
        if (!reals[index])
          inputs.defaults.push_back(argument.name + " = 1");
        inputs.values.push_back(reals[index].value_or(1));
        continue;
      }
      if (!arrays[index] && onlyShape(argument)) {
        inputs.values.push_back(reference::Tensor{
            argument.dtype, sizes.shape(int(index)), nullptr});
        continue;
      }
      if (!arrays[index]) {
        Result<Array> array = Array::create(argument.dtype, sizes.shape(index));
        if (array.failed())
          return array.status().withContext("argument " +
                                            std::to_string(index) + " ('" +
                                            argument.name + "')");
        bool asked =
            index < options.inputs.size() && rt::isFloat(argument.dtype);
        std::string what =
            asked ? "" : fillDefaultData(*array, argument, sizes);
        if (what.empty())
          status = rt::fillNormal(*array, uint64_t(options.seed) * 256 + index);
        else
          inputs.defaults.push_back(argument.name + " = " + what);
        if (status.failed())
          return status;
        arrays[index] = std::make_shared<Array>(std::move(*array));
      }
      inputs.values.push_back(reference::Tensor{
          argument.dtype, arrays[index]->shape(), arrays[index]});
    }
    return Status::success();
  }

  const FunctionSignature &signature;
  const FlashRunOptions &options;
  SizeAssignment sizes;
  std::vector<std::shared_ptr<const Array>> arrays;
  std::vector<std::optional<int64_t>> scalars;
  std::vector<std::optional<double>> reals;
  RunInputs inputs;
};

} // namespace

Result<RunInputs> flash::makeInputs(const FunctionSignature &signature,
                                    const FlashRunOptions &options) {
  return InputMaker(signature, options).make();
}
