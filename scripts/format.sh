#!/usr/bin/env bash
# Formats our C++ with clang-format-22; with --check, lists what is not formatted and fails.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v clang-format-22 >/dev/null || die "clang-format-22 is not here: on Debian 12, apt-get install clang-format-22."
cd "$FLASH_ROOT"
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cpp' '*.h' '*.c' | while read -r file; do [ -f "$file" ] && echo "$file"; done)
if [ "${1:-}" = --check ]; then
  clang-format-22 --dry-run --Werror "${files[@]}"
else
  clang-format-22 -i "${files[@]}"
fi
say "${#files[@]} files"
