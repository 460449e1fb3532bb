//===- Npy.cpp - NumPy's array files --------------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format (numpy/lib/format.py): "\x93NUMPY", two version bytes, the
// header's length (16 bits in version 1, 32 later), the header (a Python
// dictionary padded with spaces to a multiple of 64 bytes), the elements.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Npy.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

using namespace flash::rt;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are copied as they lie: little-endian machines only"
#endif

namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr int64_t kMagicSize = 6;
/// NumPy's own limit is 10000; a dictionary of a simple array has about 100.
constexpr int64_t kMaxHeader = 1 << 16;
constexpr size_t kMaxRank = 32;

class FileDescriptor {
public:
  explicit FileDescriptor(int fd) : fd(fd) {}
  FileDescriptor(const FileDescriptor &) = delete;
  ~FileDescriptor() {
    if (fd >= 0)
      ::close(fd);
  }
  int get() const { return fd; }
  /// Closes now; false when the system reports a late write error.
  bool close() {
    int closing = fd;
    fd = -1;
    return ::close(closing) == 0;
  }

private:
  int fd;
};

std::string errnoText() { return std::strerror(errno); }

/// Reads exactly `size` bytes. Returns how many there were, -1 on an error.
int64_t readAll(int fd, void *data, int64_t size) {
  int64_t done = 0;
  while (done < size) {
    size_t step = static_cast<size_t>(std::min<int64_t>(size - done, 1 << 30));
    ssize_t got = ::read(fd, static_cast<char *>(data) + done, step);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    done += got;
  }
  return done;
}

bool writeAll(int fd, const void *data, int64_t size) {
  int64_t done = 0;
  while (done < size) {
    size_t step = static_cast<size_t>(std::min<int64_t>(size - done, 1 << 30));
    ssize_t put = ::write(fd, static_cast<const char *>(data) + done, step);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return false;
    done += put;
  }
  return true;
}

Result<DType> parseDescr(const std::string &descr) {
  struct Entry {
    const char *descr;
    DType type;
  };
  static const Entry entries[] = {
      {"<f4", DType::F32},  {"<f2", DType::F16}, {"<f8", DType::F64},
      {"<i8", DType::I64},  {"<i4", DType::I32}, {"|V2", DType::BF16},
      {"<V2", DType::BF16},
  };
  for (const Entry &entry : entries)
    if (descr == entry.descr)
      return entry.type;
  if (!descr.empty() && descr[0] == '>')
    return Status::error("element type '" + descr +
                         "' is big-endian; only little-endian is supported");
  return Status::error("element type '" + descr +
                       "' is not supported; supported are <f4, <f2, <f8, <i8, "
                       "<i4, and |V2 for bf16");
}

/// A reader of the small part of Python's literals that headers use.
class DictionaryParser {
public:
  explicit DictionaryParser(const std::string &text) : text(text) {}

  Result<NpyHeader> parse() {
    std::optional<std::string> descr;
    std::optional<bool> fortran;
    std::optional<std::vector<int64_t>> shape;
    if (!eat('{'))
      return malformed("'{' expected");
    while (!eat('}')) {
      Result<std::string> key = string();
      if (key.failed())
        return key.status();
      if (!eat(':'))
        return malformed("':' expected");
      Status status = Status::success();
      if (*key == "descr" && !descr)
        status = assign(descr, descrValue());
      else if (*key == "fortran_order" && !fortran)
        status = assign(fortran, boolean());
      else if (*key == "shape" && !shape)
        status = assign(shape, tuple());
      else
        return malformed("unexpected or repeated key '" + *key + "'");
      if (status.failed())
        return status;
      if (!eat(',') && peek() != '}')
        return malformed("',' or '}' expected");
    }
    skipSpace();
    if (at != text.size())
      return malformed("text after the dictionary");
    if (!descr || !fortran || !shape)
      return malformed(std::string("no '") +
                       (!descr     ? "descr"
                        : !fortran ? "fortran_order"
                                   : "shape") +
                       "'");
    Result<DType> type = parseDescr(*descr);
    if (type.failed())
      return type.status();
    if (*fortran && shape->size() > 1)
      return Status::error("the array is in Fortran order; only C order is "
                           "supported (numpy.ascontiguousarray makes it so)");
    return NpyHeader{*type, std::move(*shape)};
  }

private:
  template <typename T>
  static Status assign(std::optional<T> &to, Result<T> from) {
    if (from.ok())
      to = std::move(*from);
    return from.status();
  }

  Status malformed(const std::string &what) const {
    return Status::error("malformed header: " + what + " at character " +
                         std::to_string(at));
  }

  void skipSpace() {
    while (at < text.size() && std::strchr(" \t\n\r", text[at]) && text[at])
      ++at;
  }
  char peek() {
    skipSpace();
    return at < text.size() ? text[at] : '\0';
  }
  bool eat(char c) {
    if (peek() != c || at >= text.size())
      return false;
    ++at;
    return true;
  }

  Result<std::string> string() {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return malformed("a string expected");
    size_t end = text.find(quote, at + 1);
    if (end == std::string::npos)
      return malformed("unterminated string");
    std::string value = text.substr(at + 1, end - at - 1);
    at = end + 1;
    return value;
  }

  Result<std::string> descrValue() {
    if (peek() == '[')
      return Status::error("structured element types are not supported");
    return string();
  }

  Result<bool> boolean() {
    skipSpace();
    for (bool value : {false, true}) {
      const char *word = value ? "True" : "False";
      if (text.compare(at, std::strlen(word), word) == 0) {
        at += std::strlen(word);
        return value;
      }
    }
    return malformed("True or False expected");
  }

  Result<std::vector<int64_t>> tuple() {
    std::vector<int64_t> dims;
    if (!eat('('))
      return malformed("'(' expected");
    while (!eat(')')) {
      Result<int64_t> dim = integer();
      if (dim.failed())
        return dim.status();
      dims.push_back(*dim);
      if (dims.size() > kMaxRank)
        return malformed("more than 32 dimensions");
      if (!eat(',') && peek() != ')')
        return malformed("',' or ')' expected");
    }
    return dims;
  }

  Result<int64_t> integer() {
    if (peek() == '-')
      return malformed("negative dimension");
    int64_t value = 0;
    size_t begin = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
      if (__builtin_mul_overflow(value, int64_t(10), &value) ||
          __builtin_add_overflow(value, int64_t(text[at] - '0'), &value))
        return malformed("dimension beyond 64 bits");
    if (at == begin)
      return malformed("a number expected");
    if (at < text.size() && text[at] == 'L') // written by Python 2
      ++at;
    return value;
  }

  const std::string &text;
  size_t at = 0;
};

/// Reads the file's preamble and header. `offset` becomes where the data begin.
Result<NpyHeader> readHeader(int fd, int64_t fileSize, int64_t &offset) {
  unsigned char preamble[12] = {};
  if (fileSize < 10 || readAll(fd, preamble, 10) != 10 ||
      std::memcmp(preamble, kMagic, kMagicSize) != 0)
    return Status::error("not a .npy file: it does not begin with \\x93NUMPY");
  int major = preamble[6], minor = preamble[7];
  if (major < 1 || major > 3 || minor != 0)
    return Status::error("format version " + std::to_string(major) + "." +
                         std::to_string(minor) + " is not supported");
  offset = 10;
  int64_t size = preamble[8] | preamble[9] << 8;
  if (major > 1) {
    if (readAll(fd, preamble + 10, 2) != 2)
      return Status::error("truncated header");
    offset = 12;
    size |= static_cast<int64_t>(preamble[10]) << 16 |
            static_cast<int64_t>(preamble[11]) << 24;
  }
  if (size > kMaxHeader)
    return Status::error("header of " + std::to_string(size) +
                         " bytes; at most " + std::to_string(kMaxHeader) +
                         " are accepted");
  std::string text(static_cast<size_t>(size), '\0');
  if (offset + size > fileSize || readAll(fd, &text[0], size) != size)
    return Status::error("truncated header: it should have " +
                         std::to_string(size) + " bytes");
  offset += size;
  return parseNpyDictionary(text);
}

Result<Array> readFrom(const std::string &path) {
  // Non-blocking, so that a pipe does not hang here before it is refused.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info;
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0)
    return Status::error(errnoText());
  if (!S_ISREG(info.st_mode))
    return Status::error("not a regular file");
  int64_t fileSize = info.st_size, offset = 0;
  Result<NpyHeader> header = readHeader(file.get(), fileSize, offset);
  if (header.failed())
    return header.status();

  // Before memory is taken for it, the size must be that of the file.
  Result<int64_t> count = countElements(header->shape);
  if (count.failed())
    return count.status();
  int64_t bytes, present = fileSize - offset;
  if (__builtin_mul_overflow(*count, sizeOf(header->dtype), &bytes))
    bytes = INT64_MAX;
  if (bytes != present)
    return Status::error(
        std::string(bytes > present ? "truncated"
                                    : "more data than the array") +
        ": " + shapeToString(header->shape) + " x " + nameOf(header->dtype) +
        " has " + std::to_string(bytes) + " bytes, and " +
        std::to_string(present) + " follow the header");
  Result<Array> array = Array::create(header->dtype, header->shape);
  if (array.failed())
    return array;
  int64_t got = readAll(file.get(), array->data(), bytes);
  if (got != bytes)
    return Status::error(got < 0 ? errnoText() : "truncated while reading");
  return array;
}

std::string makeHeader(const Array &array) {
  // bf16: what NumPy writes for ml_dtypes.bfloat16, a void type of two bytes.
  const char *descr = "<f4";
  switch (array.dtype()) {
  case DType::F32:
    break;
  case DType::F16:
    descr = "<f2";
    break;
  case DType::BF16:
    descr = "<V2";
    break;
  case DType::F64:
    descr = "<f8";
    break;
  case DType::I64:
    descr = "<i8";
    break;
  case DType::I32:
    descr = "<i4";
    break;
  }
  std::string text = std::string("{'descr': '") + descr +
                     "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : array.shape())
    text += std::to_string(dim) + ", ";
  // Python's tuples: (), (3,), (3, 4).
  if (array.rank() > 0)
    text.resize(text.size() - (array.rank() == 1 ? 1 : 2));
  text += "), }";
  size_t size = (10 + text.size() + 1 + 63) / 64 * 64 - 10;
  text.resize(size - 1, ' ');
  text += '\n';
  std::string preamble(kMagic, kMagicSize);
  preamble += '\1';
  preamble += '\0';
  preamble += static_cast<char>(size & 0xff);
  preamble += static_cast<char>(size >> 8);
  return preamble + text;
}

bool writeArray(FileDescriptor &file, const Array &array) {
  std::string header = makeHeader(array);
  return writeAll(file.get(), header.data(),
                  static_cast<int64_t>(header.size())) &&
         writeAll(file.get(), array.data(), array.sizeInBytes()) &&
         file.close();
}

Status writeTo(std::string path, const Array &array) {
  struct stat info;
  mode_t mode = 0666;
  bool keepMode = false;
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode))
      return Status::error("is a directory");
    // A rename would put a file in the place of /dev/null.
    if (!S_ISREG(info.st_mode)) {
      FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
      if (file.get() < 0 || !writeArray(file, array))
        return Status::error(errnoText());
      return Status::success();
    }
    if (::access(path.c_str(), W_OK) != 0)
      return Status::error(errnoText());
    mode = info.st_mode & 07777;
    // Write what a symbolic link names; do not replace the link.
    if (char *resolved = ::realpath(path.c_str(), nullptr)) {
      path = resolved;
      std::free(resolved);
    }
    keepMode = true;
  }
  // A name of its own for each call; O_EXCL refuses one that is taken.
  static std::atomic<unsigned> serial{0};
  std::string temporary = path + "." + std::to_string(::getpid()) + "-" +
                          std::to_string(serial++) + ".tmp";
  FileDescriptor file(
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (file.get() < 0)
    return Status::error(errnoText());
  if ((!keepMode || ::fchmod(file.get(), mode) == 0) &&
      writeArray(file, array) && ::rename(temporary.c_str(), path.c_str()) == 0)
    return Status::success();
  Status status = Status::error(errnoText());
  ::unlink(temporary.c_str());
  return status;
}

} // namespace

Result<NpyHeader> flash::rt::parseNpyDictionary(const std::string &text) {
  return DictionaryParser(text).parse();
}

Result<Array> flash::rt::readNpy(const std::string &path) {
  Result<Array> array = readFrom(path);
  if (array.failed())
    return array.status().withContext("reading '" + path + "'");
  return array;
}

Status flash::rt::writeNpy(const std::string &path, const Array &array) {
  return writeTo(path, array).withContext("writing '" + path + "'");
}
