#!/usr/bin/env bash
# From a fresh Debian 12 to a running attention: installs what is missing, builds, then compiles and runs
# examples/attention.mlir on the best target here, checks it against float64 and shows what it became.
#
#   scripts/quickstart.sh [TARGET]     TARGET as flash-run knows it: auto (the default), cpu, cpu:x86-64-v3, sm_80, ...
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
target="${1:-auto}"

step "Packages"
need_packages "${FLASH_PACKAGES_BUILD[@]}"
need_llvm
say "LLVM and MLIR $(llvm-config-22 --version)"

step "Build (about 8 minutes on 2 cores the first time)"
need_build dev flash-tools

example="$FLASH_ROOT/examples/attention.mlir"
run="$FLASH_BUILD/bin/flash-run"
step "examples/attention.mlir"
sed -n '/^func/,/^}/p' "$example"

step "What the compiler makes of it: the loop over the keys, at two of its levels"
for level in L1 L2; do
  say "--- $level"
  "$run" "$example" --target="$target" --print-ir-after-level="$level" --compile-only 2>&1 |
    awk '/= scf.for / { shown++ } shown == 1; /^      }$/ && shown { shown++ }'
done

step "Compile, run, and check against float64"
"$run" "$example" --target="$target" --check

step "Done"
say "again:      build/bin/flash-run examples/attention.mlir --target=$target --check"
say "the levels: build/bin/flash-run examples/attention.mlir --print-ir-after-level=L1   (L0 to L4)"
say "the tests:  scripts/test.sh"
