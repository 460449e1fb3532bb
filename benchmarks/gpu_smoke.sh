#!/usr/bin/env bash
# First steps on a machine with a GPU: is each kind of kernel right? Runs flash-run --check over shapes that have found
# mistakes, several processes at a time, each bounded in time, and goes on after a failure.
#
#   benchmarks/gpu_smoke.sh FLASH_RUN TARGET...
set -u
flash_run=$1
shift
work=$(mktemp -d)
export flash_run work

check() { # file, options...
  local file=$1 log
  shift
  log=$(mktemp -p "$work" log.XXXXXX)
  timeout 60 "$flash_run" "$file" --check --seed=$RANDOM "$@" >"$log" 2>&1
  local status=$?
  if [ $status = 0 ]; then
    echo "passed"
  else
    echo "FAILED ($status): $(sed -n 2p "$file" | grep -o '{.*}') $(grep -o 'x[0-9]*x[bf0-9]*>' "$file" | sort -u | tr '\n' ' ') $*: $(grep -E "error|differ|FAIL|relative|nan" "$log" | head -2 | tr '\n' ' ')"
  fi
}
export -f check

number=0
for dims in "128 128" "64 64" "96 96" "59 111" "256 256" "192 128"; do
  set -- $dims -- "$@"
  for type in bf16 f16; do
    qk="tensor<?x?x?x$1x$type>" v="tensor<?x?x?x$2x$type>"
    for attributes in "{}" "{mask = #flash.causal}" "{layout = #flash.layout<bshd>, mask = #flash.causal}"; do
      number=$((number + 1))
      lse="tensor<?x?x?xf32>"
      cat >"$work/$number.mlir" <<MLIR
func.func @attention(%q: $qk, %k: $qk, %v: $v) -> ($v, $lse) {
  %o, %lse = flash.attention %q, %k, %v $attributes : $qk, $qk, $v -> $v, $lse
  return %o, %lse : $v, $lse
}
MLIR
      for target in "${@:4}"; do
        for lengths in "--dim=sq=256 --dim=sk=256" "--dim=sq=1 --dim=sk=1" "--dim=sq=113 --dim=sk=63" "--dim=sq=63 --dim=sk=1023" \
          "--dim=sq=1023 --dim=sk=300" "--dim=sq=0 --dim=sk=5" "--dim=sq=5 --dim=sk=0"; do
          echo "$work/$number.mlir --target=$target --dim=batch=2 --dim=heads=4 --dim=kv_heads=2 $lengths"
        done
      done
    done
  done
  shift 3
done >"$work/commands"
xargs -P 12 -L 1 bash -c 'check "$@"' _ <"$work/commands" >"$work/results"
grep FAILED "$work/results" | sort | head -${MAX_SHOWN:-40}
passed=$(grep -c '^passed' "$work/results")
failed=$(grep -c FAILED "$work/results")
rm -r "$work"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
