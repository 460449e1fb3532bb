#!/usr/bin/env bash
# What a machine with a GPU proves: the matrix of kernels and shapes with fresh inputs and poisoned outputs, each launched
# 100 times with the same bits (but dQ where blocks of keys add to it in any order); the same with one role late at a time (Hopper); and compute-sanitizer, where it is found.
#
#   test/Integration/GPU/run.sh DIRECTORY [TARGET...]     DIRECTORY holds flash-run and flash-matrix; targets: sm_90a sm_80
# Programs in tiles that are no attention (test/Pipelines/key-outer.mlir, programs-in-tiles.mlir) are checked, too.
#
# Ends with "N passed, N failed". docs/Checking.md says what the sanitizer cannot follow.
set -u
tools=$1
shift
[ $# -gt 0 ] || set -- sm_90a sm_80
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
log=$(mktemp)
checks=$(mktemp -d)
passed=0
failed=0

matrix() { # label, options...
  local label=$1 start=$SECONDS good bad
  shift
  timeout 600 "$tools/flash-matrix" "$@" >"$log" 2>&1
  local status=$?
  good=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1/p' "$log" | tail -n 1)
  bad=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\2/p' "$log" | tail -n 1)
  if [ "${good:-0}" -eq 0 ] || [ "${bad:-1}" -ne 0 ]; then
    grep -iE "fail|error" "$log" | head -5 || true
    echo "(exit status $status) $(tail -n 2 "$log")"
  fi
  passed=$((passed + ${good:-0})) failed=$((failed + ${bad:-1}))
  echo "$label: ${good:-0} passed, ${bad:-1} failed, $((SECONDS - start)) s"
}

# Checks run beside one another: the reference on the host takes longer than the kernel.
check() { # label, file, options...
  local label=$1 own
  shift
  own=$(mktemp "$checks/XXXXXX")
  while [ "$(jobs -rp | wc -l)" -ge 8 ]; do wait -n || true; done
  {
    if timeout 300 "$tools/flash-run" "$@" --check >"$own.log" 2>&1; then
      echo passed >"$own"
    else
      { tail -n 4 "$own.log"; echo "$label: FAILED"; } >"$own"
    fi
  } &
}

collect() { # label
  local label=$1 start=$SECONDS good=0 bad=0 own
  wait
  for own in "$checks"/??????; do
    if [ "$(cat "$own")" = passed ]; then
      good=$((good + 1))
    else
      bad=$((bad + 1))
      cat "$own"
    fi
  done
  rm -f "$checks"/*
  passed=$((passed + good)) failed=$((failed + bad))
  echo "$label: $good passed, $bad failed, $((SECONDS - start)) s more"
}

sanitize() { # target, tool, example, options...
  local target=$1 tool=$2 example=$3 status
  shift 3
  timeout 300 compute-sanitizer --tool "$tool" --error-exitcode 1 "$tools/flash-run" "$root/examples/$example" "$@" \
    --target="$target" --dim=sq=200 --dim=sk=333 --check >"$log" 2>&1
  status=$?
  if [ $status -eq 0 ] && grep -q "SUMMARY: 0 " "$log"; then
    passed=$((passed + 1))
    echo "$target, $tool, $example: clean"
  else
    failed=$((failed + 1))
    grep -E "=====|error" "$log" | head -8
    echo "$target, $tool, $example: FAILED ($status)"
  fi
}

for target in "$@"; do
  matrix "$target, 100 launches" --target="$target" --seed=fresh --repeats=100
  case $target in sm_90*)
    for role in producer consumers consumer0 consumer1 writer; do
      matrix "$target, $role late" --target="$target" --seed=fresh --repeats=3 --passes="delay-role=$role" --filter=d=128
    done
    # So late that a warpgroup could be two turns ahead.
    matrix "$target, writer very late" --target="$target" --seed=fresh --repeats=3 --passes="delay-role=writer delay-nanoseconds=20000" --filter=-backward --filter=d=128
    matrix "$target, watcher late" --target="$target" --seed=fresh --repeats=3 --passes="delay-role=watcher" --filter=unseen
    # Three warpgroups: narrow heads, long.
    matrix "$target, consumer2 late" --target="$target" --seed=fresh --repeats=3 --passes=delay-role=consumer2 --filter=d=64, --filter=long
    ;;
  esac
  # Programs in tiles: on sm_80 with its own instruction, other attributes alone.
  for programs in key-outer programs-in-tiles; do
    file=$log.$target.$programs.mlir
    cp "$root/test/Pipelines/$programs.mlir" "$file"
    case $target in sm_8*) sed -i 's/instruction = wgmma, .*consumerRegisters = 232/instruction = mma_sync/' "$file" ;; esac
    for entry in $(sed -n 's/^func.func @\([a-z0-9_]*\).*/\1/p' "$file"); do
      check "$target, program $entry" "$file" --entry="$entry" --target="$target"
    done
  done
  # Rows that are read and written once: each head dim's alignment, and parts of attentions.
  streams=$root/test/Target/PTX/streams.mlir
  for entry in $(sed -n 's/^func.func @\([a-z0-9_]*\).*/\1/p' "$streams"); do
    check "$target, function $entry" "$streams" --entry="$entry" --target="$target"
  done
  collect "$target, programs and streams"
  command -v compute-sanitizer >/dev/null || continue
  for tool in memcheck racecheck synccheck; do
    sanitize "$target" $tool attention.mlir
    sanitize "$target" $tool backward.mlir --differentiate
  done
done
rm -rf "$log" "$log".*.mlir "$checks"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
