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
// dictionary padded with spaces to a multiple of 64 bytes; NpyHeader.cpp), the
// elements.
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
  case DType::I8:
    descr = "|i1";
    break;
  case DType::I1:
    descr = "|b1";
    break;
  case DType::F8E4M3FN:
  case DType::F8E5M2:
    // NumPy has no such type; its bytes.
    descr = "|u1";
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

Result<Array> flash::rt::readNpy(const std::string &path) {
  Result<Array> array = readFrom(path);
  if (array.failed())
    return array.status().withContext("reading '" + path + "'");
  return array;
}

Status flash::rt::writeNpy(const std::string &path, const Array &array) {
  return writeTo(path, array).withContext("writing '" + path + "'");
}
