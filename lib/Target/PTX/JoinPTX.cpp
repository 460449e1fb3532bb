//===- JoinPTX.cpp - One text of several modules --------------------------===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For who reads the code of a function, or assembles it as a whole:
//
//   .version 8.0             .version 8.0             .version 8.0
//   .target sm_90a           .target sm_90a           .target sm_90a
//   .address_size 64         .address_size 64         .address_size 64
//   .extern .shared s[];  +  .extern .shared s[];  =  .extern .shared s[];
//   .entry a() {...}         .entry b() {...}         .entry a() {...}
//                                                     .entry b() {...}
//
//===----------------------------------------------------------------------===//

#include "flash/Target/EmitPTX.h"

#include "llvm/ADT/StringSet.h"

using namespace flash;
using llvm::StringRef;

/// Whether a line is a directive of the module that stands once: its header,
/// shared memory, a constant, the file whose lines it names.
static bool isDeclaration(StringRef line) {
  for (StringRef name :
       {".version", ".target", ".address_size", ".extern", ".global", ".const",
        ".shared", "\t.file", "\t.section\t.debug_macinfo"})
    if (line.starts_with(name))
      return true;
  return false;
}

std::string flash::joinPTX(llvm::ArrayRef<std::string> texts) {
  if (texts.empty())
    return "";
  std::string joined = texts.front();
  llvm::StringSet<> known;
  auto remember = [&](StringRef line) {
    return !isDeclaration(line) || known.insert(line).second;
  };
  for (StringRef line : llvm::split(texts.front(), '\n'))
    (void)remember(line);
  for (StringRef rest : texts.drop_front()) {
    // What LLVM says of itself comes before the first directive.
    rest = rest.substr(rest.find("\n.version"));
    while (!rest.empty()) {
      auto [line, after] = rest.split('\n');
      if (remember(line))
        joined += line.str() + "\n";
      rest = after;
    }
  }
  return joined;
}
