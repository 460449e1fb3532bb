#!/usr/bin/env bash
# Formats our C++ with clang-format-22, and mends banners that it broke over two lines; with --check, lists what is
# not formatted and fails. With files, only those.
#
#   scripts/format.sh [--check] [FILE...]
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v clang-format-22 >/dev/null || die "clang-format-22 is not here: on Debian 12, apt-get install clang-format-22."
cd "$FLASH_ROOT"
check=no
if [ "${1:-}" = --check ]; then
  check=yes
  shift
fi
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(our_files '*.cpp' '*.h' '*.c' |
  while read -r file; do [ ! -f "$file" ] || echo "$file"; done)
[ ${#files[@]} -gt 0 ] || die "No files to format: is $FLASH_ROOT a git checkout?"

if [ $check = yes ]; then
  status=0
  clang-format-22 --dry-run --Werror "${files[@]}" || status=1
  for file in "${files[@]}"; do
    if sed -n '2p;3q' "$file" | grep -q '^//-\*-===//$\|^//---*===//$\|^-*===\*\\$'; then
      echo "$file:1: the banner is broken over two lines"
      status=1
    fi
  done
  [ $status -eq 0 ] || die "Not formatted; scripts/format.sh does it."
else
  # One line of 80 columns: //===- File.cpp - What it is ---*- C++ -*-===//
  perl -0pi -e '
    s{\A//===- ([^\n]*?) -*(?:\*- C\+\+)?\n//(?:-\*-|-*)===//\n}{
      my ($left, $right) = ("//===- $1 ", "*- C++ -*-===//");
      $right = "===//" if length($left) + length($right) > 79;
      my $dashes = 80 - length($left) - length($right);
      $left . ($dashes > 0 ? "-" x $dashes : "") . $right . "\n"
    }e' "${files[@]}"
  clang-format-22 -i "${files[@]}"
fi
say "${#files[@]} files"
