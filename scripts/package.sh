#!/usr/bin/env bash
# Builds the self-contained tools and the C library (LLVM linked in), strips them, compresses them with xz, and says
# what they need of a system: nothing beyond glibc 2.36 (Debian 12, Ubuntu 24.04).
#
#   scripts/package.sh [--check]           the files are in build-portable/package; --check also runs them
#   scripts/package.sh --wheel [--check]   the Python wheel, in build-portable/wheel; --check also installs it in a venv of its own,
#                                          and runs attention there, without a compiler, a GPU or this tree
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
max_mb=80
max_xz_mb=20
newest_glibc=2.36
package="$FLASH_ROOT/build-portable/package"

portable="$FLASH_ROOT/build-portable"
wheel_folder="$portable/wheel"
max_wheel_mb=30
wheel_platform=manylinux_2_28_x86_64
wheel=no check=no
for argument in "$@"; do
  case "$argument" in
  --wheel) wheel=yes ;;
  --check) check=yes ;;
  *) die "There is no option '$argument'; there are --wheel and --check." ;;
  esac
done

problems=0
problem() {
  say "PROBLEM: $*"
  problems=1
}

need_packages "${FLASH_PACKAGES_BUILD[@]}" xz-utils binutils
need_llvm

# What makes the wheel, and zig, which has glibc 2.28 as stubs to link against.
WHEEL_PACKAGES=(build==1.6.1 scikit-build-core==1.1.2 auditwheel==6.8.2 wheel==0.47.0 ziglang==0.17.1)
need_wheel_tools() {
  local tools="$portable/wheel-venv" stamp="$portable/wheel-venv/packages" found name
  if [ "$(cat "$stamp" 2>/dev/null)" != "${WHEEL_PACKAGES[*]}" ]; then
    need_packages python3-venv
    say "installing ${WHEEL_PACKAGES[*]} in ${tools#"$FLASH_ROOT"/}"
    python3 -m venv --clear "$tools" && "$tools/bin/pip" install -q "${WHEEL_PACKAGES[@]}" </dev/null || die "PyPI did not give ${WHEEL_PACKAGES[*]}"
    echo "${WHEEL_PACKAGES[*]}" >"$stamp"
  fi
  [ -f "$portable/glibc/libc.so.6" ] && return
  # Linking anything makes the stubs, in zig's cache.
  local cache="$portable/zig-cache"
  mkdir -p "$cache" "$portable/glibc"
  echo 'int main(void) { return 0; }' >"$cache/main.c"
  ZIG_GLOBAL_CACHE_DIR="$cache" ZIG_LOCAL_CACHE_DIR="$cache" "$tools/bin/python" -m ziglang cc -target x86_64-linux-gnu.2.28 \
    "$cache/main.c" -o "$cache/main" || die "zig could not make stubs of glibc 2.28"
  while read -r found; do
    name="${found##*/}"
    cp "$found" "$portable/glibc/$name"
    ln -sf "$name" "$portable/glibc/${name%.so.*}.so"
  done < <(find "$cache/o" -name 'lib*.so.*')
  [ -f "$portable/glibc/libc.so.6" ] || die "zig has made no stubs of glibc 2.28"
}

# A venv that knows nothing of this tree: five lines to a checked attention.
check_wheel() {
  local venv="$portable/wheel-check" start=$SECONDS
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q "$1" </dev/null || return 1
  (cd "$venv" && env -i PATH=/usr/bin:/bin HOME="$venv" FLASH_PTXAS= FLASH_NVJITLINK= "$venv/bin/python" -c '
import numpy as np, flash_mlir
q, k, v = np.random.default_rng(0).standard_normal((3, 1, 8, 512, 64)).astype("float32")
o = flash_mlir.attention(q, k, v, causal=True)
s = np.where(np.tri(512, dtype=bool), q @ k.swapaxes(2, 3) / 8, -np.inf)
p = np.exp(s - s.max(-1, keepdims=True))
assert np.allclose(o, p @ v / p.sum(-1, keepdims=True), atol=1e-5)
half = flash_mlir.Spec((1, 8, 512, 64), "float16")
print("   attention is right, and compiles for GPUs:", flash_mlir.compile(half, half, half, target="sm_80").ptx.count("mma.sync"), "mma.sync")
') || return 1
  cp "$FLASH_ROOT/examples/attention.mlir" "$venv"
  env -i PATH="$venv/bin:/usr/bin:/bin" HOME="$venv" flash-opt "$venv/attention.mlir" >/dev/null || return 1
  env -i PATH="$venv/bin:/usr/bin:/bin" HOME="$venv" flash-run "$venv/attention.mlir" --target=cpu --check --dim=sq=128 --dim=sk=128 || return 1
  say "installed, run and checked in $((SECONDS - start)) s"
  [ $((SECONDS - start)) -lt 60 ] || say "that is more than a minute, on this machine"
}

if [ $wheel = yes ]; then
  mkdir -p "$portable"
  need_wheel_tools
  if ! grep -q "^FLASH_GLIBC_STUBS:PATH=$portable/glibc$" "$portable/CMakeCache.txt" 2>/dev/null; then
    (cd "$FLASH_ROOT" && cmake --preset portable -B "$portable" -DFLASH_GLIBC_STUBS="$portable/glibc" --log-level=WARNING) >"$portable/configure.log" 2>&1 || {
      cat "$portable/configure.log" >&2
      die "CMake could not configure the portable build; the reason is above."
    }
  fi
  need_build portable flash-wheel
  mkdir -p "$portable/wheel-stage" "$wheel_folder"
  strip -o "$portable/wheel-stage/libflash-c.so" "$portable/wheel-library/libflash-c.so"
  rm -f "$wheel_folder"/*.whl
  "$portable/wheel-venv/bin/python" -m build --wheel --no-isolation --outdir "$wheel_folder" \
    -C cmake.define.FLASH_WHEEL_LIBRARY="$portable/wheel-stage/libflash-c.so" "$FLASH_ROOT/python" >"$portable/wheel.log" 2>&1 || {
    cat "$portable/wheel.log" >&2
    die "The wheel was not built; the reason is above."
  }
  "$portable/wheel-venv/bin/python" -m wheel tags --remove --platform-tag $wheel_platform "$wheel_folder"/*.whl >/dev/null
  file=$(ls "$wheel_folder"/*.whl)
  size=$(($(stat -c %s "$file") / 1000000))
  say "${file##*/}: $size MB"
  [ "$size" -le $max_wheel_mb ] || problem "${file##*/} is over $max_wheel_mb MB"
  case "${file##*/}" in *-py3-none-$wheel_platform.whl) ;; *) problem "${file##*/} is not py3-none-$wheel_platform" ;; esac
  # auditwheel looks at symbols, not at the name.
  audit=$("$portable/wheel-venv/bin/auditwheel" show "$file" | tr '\n' ' ')
  tag=$(grep -o 'manylinux_2_[0-9]*_x86_64' <<<"$audit" | sort -V | head -n 1)
  say "auditwheel: $tag"
  [ "$(printf '%s\n%s\n' "$tag" $wheel_platform | sort -V | tail -n 1)" = $wheel_platform ] || problem "auditwheel says ${tag:-nothing}: $audit"
  [ $check = no ] || check_wheel "$file" || problem "the wheel does not work in a clean venv"
  exit $problems
fi

need_build portable all
mkdir -p "$package"

for name in bin/flash-opt bin/flash-run bin/flash-lsp-server bin/flash-matrix lib/libflash-c.so; do
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

if [ $check = yes ]; then
  # An empty environment: nothing of this machine's set-up may be needed.
  env -i "$package/flash-opt" "$FLASH_ROOT/examples/attention.mlir" >/dev/null || problem "flash-opt does not run"
  env -i "$package/flash-run" "$FLASH_ROOT/examples/attention.mlir" --target=cpu --check || problem "flash-run does not run"
  printf '{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n// -----\n{"jsonrpc":"2.0","method":"exit"}\n' |
    env -i "$package/flash-lsp-server" -lit-test >/dev/null 2>&1 || problem "flash-lsp-server does not run"
fi
exit $problems
