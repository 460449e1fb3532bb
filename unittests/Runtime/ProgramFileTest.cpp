//===- ProgramFileTest.cpp - Programs as bytes ----------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "flash/Runtime/ProgramFile.h"
#include "TestProgram.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace flash::rt;

namespace {

/// Uses what testProgram leaves out.
Program wholeProgram() {
  Program program = testProgram();
  program.signature.arguments.push_back(
      ArgumentInfo::real("scale", DType::BF16));
  program.signature.arguments[0].alignment = 16;
  Launch &launch = *std::get_if<Launch>(&program.steps[1]);
  launch.cluster = {2, 1, 1};
  launch.params.push_back(RealParam{3, DType::BF16});
  launch.params.push_back(
      Int64Param{Expr::min(Expr::stride(1, 2), Expr::resultStride(0, 1)) *
                 Expr::ceilDiv(Expr::scalar(2), -7)});
  program.modules[0].image = std::string("\x7f"
                                         "ELF\0\xff",
                                         6);
  return program;
}

std::string write() {
  Check small = {Check::Relation::LessEqual, Expr::dim(0, 2), 512, "long"};
  return writeProgramFile({{{small}, wholeProgram()}, {{}, testProgram()}});
}

std::string errorOf(const std::string &bytes) {
  return readProgramFile(bytes.data(), bytes.size()).message();
}

TEST(ProgramFileTest, ReadsWhatWasWritten) {
  std::string bytes = write();
  auto read = readProgramFile(bytes.data(), bytes.size());
  ASSERT_TRUE(read.ok()) << read.message();
  ASSERT_EQ(read->size(), 2u);
  const Program &program = (*read)[0].program, expected = wholeProgram();
  EXPECT_EQ(program.str(), expected.str());
  EXPECT_EQ((*read)[1].program.str(), testProgram().str());
  EXPECT_EQ(program.modules[0].image, expected.modules[0].image);
  EXPECT_EQ(program.signature.arguments[0].alignment, 16);
  ASSERT_EQ((*read)[0].when.size(), 1u);
  EXPECT_EQ((*read)[0].when[0].lhs.str(), "dim(0, 2)");
  EXPECT_EQ((*read)[0].when[0].message, "long");
  // The same bytes again.
  EXPECT_EQ(writeProgramFile(*read), bytes);
}

TEST(ProgramFileTest, Damaged) {
  std::string bytes = write();
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_NE(errorOf(bytes.substr(0, size)), "") << size;
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1 << (i % 8);
    EXPECT_NE(errorOf(changed), "") << i;
  }
  EXPECT_EQ(errorOf("\x7f"
                    "ELF and more than a header's bytes"),
            "this is no program of Flash's");
  std::string newer = bytes;
  ++newer[8];
  EXPECT_EQ(errorOf(newer), "the program is of format 2, but this library "
                            "reads format 1: compile it again");
  EXPECT_EQ(errorOf(bytes + "x"),
            "the program is damaged: it was cut or changed");
}

/// Bytes whose hash is right still do not have to make sense.
TEST(ProgramFileTest, Nonsense) {
  std::string bytes = write();
  constexpr size_t kHeader = 28;
  for (size_t i = kHeader; i < bytes.size(); ++i)
    for (char flip : {1, 64, -128}) {
      std::string changed = bytes;
      changed[i] ^= flip;
      uint64_t hash =
          hashBytes(changed.data() + kHeader, changed.size() - kHeader);
      std::memcpy(&changed[20], &hash, sizeof(hash));
      // Refused, or a program that verifies: no crash.
      auto read = readProgramFile(changed.data(), changed.size());
      if (read.ok())
        EXPECT_TRUE((*read)[0].program.verify().ok());
    }
}

} // namespace
