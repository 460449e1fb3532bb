//===- Status.h - Errors without exceptions ---------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The runtime is built without exceptions and used from C: a function that can
// fail returns a Status, or a Result with the value in it. The message is a
// whole sentence for the user; whoever calls may only put more context before
// it.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_STATUS_H
#define FLASH_RUNTIME_STATUS_H

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace flash::rt {

/// Success, or an error with its message. Success costs one null pointer.
class [[nodiscard]] Status {
public:
  static Status success() { return Status(); }
  static Status error(std::string message) {
    Status status;
    status.text = std::make_shared<const std::string>(std::move(message));
    return status;
  }

  bool ok() const { return !text; }
  bool failed() const { return static_cast<bool>(text); }

  /// The message of an error; empty for success.
  const std::string &message() const {
    static const std::string empty;
    return text ? *text : empty;
  }

  /// The same error with `context: ` before it; success stays success.
  Status withContext(const std::string &context) const {
    return ok() ? *this : error(context + ": " + *text);
  }

private:
  std::shared_ptr<const std::string> text;
};

/// A value, or the error that there is instead of it.
template <typename T> class [[nodiscard]] Result {
public:
  Result(T value) : value(std::move(value)) {}
  Result(Status error) : error(std::move(error)) {
    assert(this->error.failed() && "a Result without a value needs an error");
  }

  bool ok() const { return value.has_value(); }
  bool failed() const { return !value.has_value(); }
  const Status &status() const { return error; }
  const std::string &message() const { return error.message(); }

  T &operator*() {
    assert(ok());
    return *value;
  }
  const T &operator*() const {
    assert(ok());
    return *value;
  }
  T *operator->() { return &**this; }
  const T *operator->() const { return &**this; }

private:
  std::optional<T> value;
  Status error;
};

} // namespace flash::rt

#endif // FLASH_RUNTIME_STATUS_H
