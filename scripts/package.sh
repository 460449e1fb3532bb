#!/usr/bin/env bash
# Builds the self-contained tools and the C library (LLVM linked in), strips them, compresses them with xz, and says
# what they need of a system: nothing beyond glibc 2.36 (Debian 12, Ubuntu 24.04).
#
#   scripts/package.sh [--check]     the files are in build-portable/package; --check also runs them
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
max_mb=80
max_xz_mb=20
newest_glibc=2.36
package="$FLASH_ROOT/build-portable/package"

need_packages "${FLASH_PACKAGES_BUILD[@]}" xz-utils binutils
need_llvm
need_build portable all
mkdir -p "$package"

problems=0
problem() {
  say "PROBLEM: $*"
  problems=1
}

for name in bin/flash-opt bin/flash-run bin/flash-matrix lib/libflash-c.so; do
  built="$FLASH_ROOT/build-portable/$name"
  file="$package/${name##*/}"
  if [ ! -f "$built" ]; then
    problem "$name was not built"
    continue
  fi
  if [ ! -f "$file" ] || [ "$built" -nt "$file" ]; then
    strip -o "$file" "$built"
    xz -6 -T0 -k -f "$file"
  fi
  size=$(($(stat -c %s "$file") / 1000000)) xz_size=$(($(stat -c %s "$file.xz") / 1000000))
  needs=$(readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | tr '\n' ' ')
  glibc=$(readelf -V "$file" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)
  say "${name##*/}: $size MB, $xz_size MB as xz, needs $needs(glibc $glibc)"
  [ "$size" -lt $max_mb ] || problem "${name##*/} is over $max_mb MB"
  [ "$xz_size" -lt $max_xz_mb ] || problem "${name##*/} is over $max_xz_mb MB as xz"
  for library in $needs; do
    case "$library" in
    libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux-x86-64.so.2) ;;
    *) problem "${name##*/} needs $library" ;;
    esac
  done
  [ "$(printf '%s\n%s\n' "$glibc" $newest_glibc | sort -V | tail -n 1)" = $newest_glibc ] ||
    problem "${name##*/} needs glibc $glibc, newer than $newest_glibc"
done

if [ "${1:-}" = --check ]; then
  # An empty environment: nothing of this machine's set-up may be needed.
  env -i "$package/flash-opt" "$FLASH_ROOT/examples/attention.mlir" >/dev/null || problem "flash-opt does not run"
  env -i "$package/flash-run" "$FLASH_ROOT/examples/attention.mlir" --target=cpu --check || problem "flash-run does not run"
fi
exit $problems
