//===- NumberLocale.h - Numbers with points, in any host --------*- C++ -*-===//
//
// Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
// See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FLASH_LIB_CAPI_NUMBERLOCALE_H
#define FLASH_LIB_CAPI_NUMBERLOCALE_H

#include <clocale>
#include <locale.h> // NOLINT: newlocale is POSIX's

namespace flash::capi {

/// While it lives, this thread writes numbers as C does: a host that called
/// setlocale for a language with decimal commas would find them in JSON.
class NumberLocale {
public:
  NumberLocale()
      : c(newlocale(LC_NUMERIC_MASK, "C", nullptr)),
        before(c ? uselocale(c) : locale_t()) {}
  ~NumberLocale() {
    if (!c)
      return;
    uselocale(before);
    freelocale(c);
  }
  NumberLocale(const NumberLocale &) = delete;
  NumberLocale &operator=(const NumberLocale &) = delete;

private:
  locale_t c, before;
};

} // namespace flash::capi

#endif // FLASH_LIB_CAPI_NUMBERLOCALE_H
