//===- Npy.h - NumPy's array files ------------------------------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads and writes .npy files (format versions 1 to 3): f32, f16, f64, i64,
// i32, and bf16 as the two-byte void type that NumPy writes for
// ml_dtypes.bfloat16 (read such a file with
// `numpy.load(f).view(ml_dtypes.bfloat16)`). Files come from users: whatever is
// wrong with one gives one sentence, and nothing is allocated before the header
// has been checked against the file's size.
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_RUNTIME_NPY_H
#define FLASH_RUNTIME_NPY_H

#include "flash/Runtime/Array.h"
#include "flash/Runtime/Status.h"

#include <string>
#include <vector>

namespace flash::rt {

/// What the header of a .npy file says.
struct NpyHeader {
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
};

/// Parses the dictionary of a header, `{'descr': '<f4', 'fortran_order': False,
/// 'shape': (2, 3), }`.
Result<NpyHeader> parseNpyDictionary(const std::string &text);

Result<Array> readNpy(const std::string &path);

/// Writes through a temporary file beside `path` and a rename, so that a
/// failure leaves neither a partial file nor a changed one. A device or pipe is
/// written in place.
Status writeNpy(const std::string &path, const Array &array);

} // namespace flash::rt

#endif // FLASH_RUNTIME_NPY_H
