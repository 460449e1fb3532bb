//===- NpyTest.cpp - NumPy's array files ----------------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Round trips, files as NumPy writes them, and one message for each way in
// which a file can be wrong.
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/Npy.h"

#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace flash::rt;

// A sanitizer ends the program when an absurd size is asked for; the tests want
// the null pointer that malloc gives. The environment's options come on top.
extern "C" const char *__asan_default_options() {
  return "allocator_may_return_null=1";
}
extern "C" const char *__tsan_default_options() {
  return "allocator_may_return_null=1";
}

namespace {

class NpyTest : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "flash-npy-XXXXXX";
    ASSERT_NE(::mkdtemp(&pattern[0]), nullptr);
    dir = pattern;
  }
  void TearDown() override {
    for (const std::string &name : files())
      ::unlink(path(name).c_str());
    ::rmdir(dir.c_str());
  }

  std::string path(const std::string &name) const { return dir + "/" + name; }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    DIR *stream = ::opendir(dir.c_str());
    while (dirent *entry = ::readdir(stream))
      if (entry->d_name[0] != '.')
        names.push_back(entry->d_name);
    ::closedir(stream);
    return names;
  }

  void writeFile(const std::string &name, const std::string &contents) const {
    std::ofstream(path(name), std::ios::binary) << contents;
  }

  std::string readFile(const std::string &name) const {
    std::ifstream stream(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  /// A file with this dictionary and so many bytes of data.
  static std::string npy(const std::string &dictionary, size_t bytes,
                         char version = 1) {
    std::string text("\x93NUMPY", 6);
    text += version;
    text += '\0';
    size_t size = dictionary.size();
    for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
      text += static_cast<char>(size >> (8 * i));
    return text + dictionary + std::string(bytes, '\1');
  }

  /// The error for a file with these contents, after `reading 'path': `.
  std::string errorFor(const std::string &contents) const {
    writeFile("bad.npy", contents);
    Result<Array> array = readNpy(path("bad.npy"));
    EXPECT_TRUE(array.failed());
    std::string prefix = "reading '" + path("bad.npy") + "': ";
    EXPECT_EQ(array.message().substr(0, prefix.size()), prefix);
    return array.message().substr(
        std::min(prefix.size(), array.message().size()));
  }

  std::string dir;
};

TEST_F(NpyTest, RoundTrips) {
  for (DType type : {DType::F32, DType::F16, DType::BF16, DType::F64,
                     DType::I64, DType::I32, DType::I8, DType::I1}) {
    for (const std::vector<int64_t> &shape : std::vector<std::vector<int64_t>>{
             {}, {5}, {0}, {2, 3}, {4, 0, 3}, {1, 2, 3, 4, 5, 6, 7}}) {
      Result<Array> array = Array::create(type, shape);
      ASSERT_TRUE(array.ok());
      for (int64_t i = 0; i < array->numElements(); ++i)
        array->set(i, static_cast<double>(i % 50) - 7);
      ASSERT_TRUE(writeNpy(path("a.npy"), *array).ok());
      Result<Array> back = readNpy(path("a.npy"));
      ASSERT_TRUE(back.ok()) << back.message();
      EXPECT_EQ(back->dtype(), type);
      EXPECT_EQ(back->shape(), shape);
      ASSERT_EQ(back->sizeInBytes(), array->sizeInBytes());
      EXPECT_EQ(std::memcmp(back->data(), array->data(),
                            static_cast<size_t>(array->sizeInBytes())),
                0);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(back->data()) % Array::kAlignment,
                0u);
      // The data begin at a multiple of 64, for those who map files.
      EXPECT_EQ((readFile("a.npy").size() -
                 static_cast<size_t>(array->sizeInBytes())) %
                    64,
                0u);
    }
  }
  EXPECT_EQ(files(), std::vector<std::string>{"a.npy"});
}

TEST_F(NpyTest, WritesNumPysHeader) {
  auto header = [&](DType type, std::vector<int64_t> shape) {
    Result<Array> array = Array::create(type, std::move(shape));
    EXPECT_TRUE(array.ok());
    EXPECT_TRUE(writeNpy(path("a.npy"), *array).ok());
    std::string text = readFile("a.npy");
    EXPECT_EQ(text.substr(0, 8), std::string("\x93NUMPY\1\0", 8));
    EXPECT_EQ(text[127], '\n');
    return text.substr(10, text.find('}') - 9);
  };
  EXPECT_EQ(header(DType::F32, {2, 3}),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  EXPECT_EQ(header(DType::BF16, {7}),
            "{'descr': '<V2', 'fortran_order': False, 'shape': (7,), }");
  EXPECT_EQ(header(DType::I64, {}),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (), }");
  EXPECT_EQ(header(DType::I1, {3}),
            "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }");
}

TEST_F(NpyTest, ReadsOtherWritersHeaders) {
  // Version 2 and 3, other spacing, quotes and order, Python 2's L.
  for (char version : {1, 2, 3}) {
    writeFile("a.npy", npy("{\"shape\":(2L,3),\"fortran_order\":False,"
                           "\"descr\":\"|V2\"}  \n",
                           12, version));
    Result<Array> array = readNpy(path("a.npy"));
    ASSERT_TRUE(array.ok()) << array.message();
    EXPECT_EQ(array->dtype(), DType::BF16);
    EXPECT_EQ(array->shape(), (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(array->dataAs<uint16_t>()[5], 0x0101);
  }
  // In one dimension the orders are the same.
  writeFile("a.npy",
            npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}", 8));
  EXPECT_TRUE(readNpy(path("a.npy")).ok());
}

TEST_F(NpyTest, NotAnNpyFile) {
  const char *message = "not a .npy file: it does not begin with \\x93NUMPY";
  EXPECT_EQ(errorFor(""), message);
  EXPECT_EQ(errorFor("\x93NUM"), message);
  EXPECT_EQ(errorFor(std::string(200, 'x')), message);
  EXPECT_EQ(errorFor(npy("{}", 0, 4)), "format version 4.0 is not supported");
}

TEST_F(NpyTest, BadElementType) {
  auto withType = [&](const std::string &descr) {
    return errorFor(npy(
        "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,)}", 8));
  };
  EXPECT_EQ(withType("'>f4'"), "element type '>f4' is big-endian; only "
                               "little-endian is supported");
  EXPECT_EQ(withType("'<u2'"),
            "element type '<u2' is not supported; supported are <f4, <f2, <f8, "
            "<i8, <i4, |i1, |b1, |V2 for bf16, and |V1 or |u1 for floats of 8 "
            "bits");
  EXPECT_EQ(withType("[('x', '<f4')]"),
            "structured element types are not supported");
}

TEST_F(NpyTest, FortranOrder) {
  EXPECT_EQ(
      errorFor(
          npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", 16)),
      "the array is in Fortran order; only C order is supported "
      "(numpy.ascontiguousarray makes it so)");
}

TEST_F(NpyTest, WrongSize) {
  std::string dictionary =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}";
  EXPECT_EQ(errorFor(npy(dictionary, 23)),
            "truncated: 2x3 x f32 has 24 bytes, and 23 follow the header");
  EXPECT_EQ(errorFor(npy(dictionary, 25)),
            "more data than the array: 2x3 x f32 has 24 bytes, and 25 follow "
            "the header");
}

TEST_F(NpyTest, AbsurdShapes) {
  auto withShape = [&](const std::string &shape) {
    return errorFor(npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}", 8));
  };
  EXPECT_EQ(withShape("(1099511627776,)"),
            "truncated: 1099511627776 x f32 has 4398046511104 bytes, and 8 "
            "follow the header");
  EXPECT_EQ(withShape("(4294967296, 2147483647)"),
            "truncated: 4294967296x2147483647 x f32 has 9223372036854775807 "
            "bytes, and 8 follow the header");
  EXPECT_EQ(withShape("(4294967296, 4294967296)"),
            "the number of elements of 4294967296x4294967296 does not fit in "
            "64 bits");
  EXPECT_EQ(withShape("(99999999999999999999,)"),
            "malformed header: dimension beyond 64 bits at character 69");
  EXPECT_EQ(withShape("(-1,)"),
            "malformed header: negative dimension at character 51");
  std::string deep = "(";
  for (int i = 0; i < 40; ++i)
    deep += "1, ";
  EXPECT_EQ(withShape(deep + ")").substr(0, 42),
            "malformed header: more than 32 dimensions ");
}

TEST_F(NpyTest, MalformedHeaders) {
  auto error = [&](const std::string &dictionary) {
    return errorFor(npy(dictionary, 4));
  };
  EXPECT_EQ(error(""), "malformed header: '{' expected at character 0");
  EXPECT_EQ(error("{"), "malformed header: a string expected at character 1");
  EXPECT_EQ(error("{'descr"),
            "malformed header: unterminated string at character 1");
  EXPECT_EQ(error("{'descr' '<f4'}"),
            "malformed header: ':' expected at character 9");
  EXPECT_EQ(error("{'descr': '<f4' 'shape': ()}"),
            "malformed header: ',' or '}' expected at character 16");
  EXPECT_EQ(error("{'descr': '<f4', 'shape': ()}"),
            "malformed header: no 'fortran_order' at character 29");
  EXPECT_EQ(error("{'shape': (), 'shape': ()}"),
            "malformed header: unexpected or repeated key 'shape' at character "
            "22");
  EXPECT_EQ(error("{'color': 1}"), "malformed header: unexpected or repeated "
                                   "key 'color' at character 9");
  EXPECT_EQ(error("{'fortran_order': Maybe}"),
            "malformed header: True or False expected at character 18");
  EXPECT_EQ(error("{'shape': (1 2)}"),
            "malformed header: ',' or ')' expected at character 13");
  EXPECT_EQ(error("{'shape': (x)}"),
            "malformed header: a number expected at character 11");
  EXPECT_EQ(error("{'descr': '<f4', 'fortran_order': False, 'shape': ()} junk"),
            "malformed header: text after the dictionary at character 54");
  EXPECT_EQ(error(std::string("{\0'descr'}", 10)),
            "malformed header: a string expected at character 1");
}

TEST_F(NpyTest, HeaderSizes) {
  std::string good =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 4);
  // Cut everywhere: always an error, never a crash.
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(errorFor(good.substr(0, size)).empty());
  EXPECT_EQ(errorFor(good.substr(0, 30)),
            "truncated header: it should have 55 bytes");
  std::string huge("\x93NUMPY\2\0\xff\xff\xff\xff", 12);
  EXPECT_EQ(errorFor(huge),
            "header of 4294967295 bytes; at most 65536 are accepted");
  EXPECT_EQ(errorFor(huge.substr(0, 10)), "truncated header");
}

TEST_F(NpyTest, FilesThatAreNone) {
  EXPECT_EQ(readNpy(path("missing.npy")).message(),
            "reading '" + path("missing.npy") + "': No such file or directory");
  EXPECT_EQ(readNpy(dir).message(),
            "reading '" + dir + "': not a regular file");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(readNpy(path("pipe")).message(),
            "reading '" + path("pipe") + "': not a regular file");
}

TEST_F(NpyTest, UnwritableOutput) {
  Result<Array> array = Array::create(DType::F32, {4});
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(writeNpy(path("no/a.npy"), *array).message(),
            "writing '" + path("no/a.npy") + "': No such file or directory");
  EXPECT_EQ(writeNpy(dir, *array).message(),
            "writing '" + dir + "': is a directory");
  EXPECT_TRUE(files().empty());
}

TEST_F(NpyTest, FailedWriteLeavesTheOldFile) {
  writeFile("a.npy", "old");
  Result<Array> array = Array::create(DType::F32, {100000});
  ASSERT_TRUE(array.ok());
  // A file size limit makes the write fail in the middle.
  struct rlimit before, limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 4096;
  auto *handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Status status = writeNpy(path("a.npy"), *array);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.message(),
            "writing '" + path("a.npy") + "': File too large");
  EXPECT_EQ(readFile("a.npy"), "old");
  EXPECT_EQ(files(), std::vector<std::string>{"a.npy"});
}

TEST_F(NpyTest, WritesThroughLinksAndDevices) {
  Result<Array> array = Array::create(DType::F32, {4});
  ASSERT_TRUE(array.ok());
  writeFile("real.npy", "");
  ASSERT_EQ(::chmod(path("real.npy").c_str(), 0640), 0);
  ASSERT_EQ(::symlink("real.npy", path("link.npy").c_str()), 0);
  ASSERT_TRUE(writeNpy(path("link.npy"), *array).ok());
  struct stat info;
  ASSERT_EQ(::lstat(path("link.npy").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(::stat(path("real.npy").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_TRUE(readNpy(path("real.npy")).ok());

  // /dev/null stays a device.
  ASSERT_TRUE(writeNpy("/dev/null", *array).ok());
  ASSERT_EQ(::stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST(ArrayTest, ImpossibleSizes) {
  EXPECT_EQ(Array::create(DType::F32, {2, -3}).message(),
            "dimension 1 is negative: -3");
  EXPECT_EQ(Array::create(DType::F32, {INT64_MAX / 2}).message(),
            "the size of 4611686018427387903 x f32 does not fit in 64 bits");
  EXPECT_EQ(Array::create(DType::F32, {int64_t(1) << 58}).message(),
            "no memory for 1152921504606846976 bytes of 288230376151711744 x "
            "f32");
  // A zero anywhere makes it empty, whatever the others.
  EXPECT_TRUE(Array::create(DType::F32, {INT64_MAX, INT64_MAX, 0}).ok());
}

} // namespace
