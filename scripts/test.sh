#!/usr/bin/env bash
# Every test, from a fresh clone on Debian 12: installs what is missing, builds, and runs the suites below. Ends with
# "N passed, N failed" and fails if anything did. Run again, it does only what changed since.
#
#   scripts/test.sh [--whole] [SUITE...]       without a suite, all of them, in this order:
#     lit       the dev build; lit tests (passes, levels, diagnostics, plugin, kernels through ptxas) and unit tests
#     matrix    shapes, masks and types on the CPU against float64
#     io        bytes that tiles move, counted while the matrix runs on the CPU, against the IO report
#     cpus      every head dim of every type, and random attentions, compiled for CPUs of several kinds and run where this
#               machine can; the lit tests with this machine described as another one
#     fuzz      random attentions on the CPU against float64: the same each time, and others for each commit
#     gpu       the matrix on the GPU, where there is one
#     consumer  projects outside the tree that do find_package(Flash): a mask, an attention, a matrix instruction of its own
#     python    the Python package on the CPU: pytest in a venv of its own (NumPy and JAX; PyTorch with --whole, where there is
#               CUDA 13 on the system, which its wheel links)
#     docs      what the documentation quotes is what the compiler does; scripts/quickstart.sh; the generated references
#     format    clang-format
#     tidy      clang-tidy
#     asan      the lit and unit tests with the address and undefined-behaviour sanitizers; IR that is not meant to work
#     portable  self-contained tools: size, what they need of the system, and one run; the Python wheel, tried in a venv
#
# What can be large (matrix, io, cpus, fuzz, mutants of asan) is a sample, another one for each commit; --whole does all of it,
# which takes hours. Nothing is limited by the clock: a slower machine does the same.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
passed=0
failed=0
failures=()
all_suites=(lit matrix io cpus fuzz gpu consumer python docs format tidy asan portable)
suites=()
whole=no
for argument in "$@"; do
  case "$argument" in
  --whole) whole=yes ;;
  -h | --help)
    sed -n '2,/^source/s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  -*) die "There is no option '$argument'; there is --whole." ;;
  *) suites+=("$argument") ;;
  esac
done
[ ${#suites[@]} -gt 0 ] || suites=("${all_suites[@]}")
cd "$FLASH_ROOT"

pass() { passed=$((passed + ${1:-1})); }
fail() {
  failed=$((failed + ${2:-1}))
  failures+=("$1")
  say "FAILED: $1"
}

# check <name> <command>...: one test, its exit status. In a subshell, so that `die` ends the test alone.
check() {
  local name=$1
  shift
  if ("$@"); then pass; else fail "$name"; fi
}

# count <name> <log> <status>: adds what lit counted; a lit that did not get so far is one failure.
count() {
  local good bad
  good=$(awk '/^ *(Passed|Expectedly Failed) *:/ { split($0, a, ":"); n += a[2] } END { print n + 0 }' "$2")
  bad=$(awk '/^ *(Failed|Unresolved|Timed Out|Unexpectedly Passed) *:/ { split($0, a, ":"); n += a[2] } END { print n + 0 }' "$2")
  pass "$good"
  if [ "$bad" -gt 0 ]; then
    fail "$1: $bad of its tests" "$bad"
  elif [ "$3" -ne 0 ] || [ "$good" -eq 0 ]; then
    fail "$1 did not run to its end"
  fi
}

# run_lit <name> <preset> <ninja target>...
run_lit() {
  local name=$1 preset=$2 log="$FLASH_BUILD/$1.log" status=0
  shift 2
  (need_build "$preset" "$@") 2>&1 | tee "$log" || status=$?
  count "$name" "$log" "$status"
}

# Tells lit's tests of what was found.
find_tools() {
  FLASH_PTXAS=$(find_ptxas) && export FLASH_PTXAS || true
  FLASH_NVDISASM=$(find_nvdisasm) && export FLASH_NVDISASM || true
  FLASH_PLOT_PYTHON=$(find_plot_python) && export FLASH_PLOT_PYTHON || true
}
find_lit() { command -v lit-22 || command -v lit || echo /usr/lib/llvm-22/bin/lit; }

suite_lit() {
  (need_ptxas) || say "no assembler: PyPI did not give one, and FLASH_PTXAS names none; the tests that need it fail"
  (need_nvdisasm) || say "no disassembler: PyPI did not give one, and FLASH_NVDISASM names none; the tests that need it fail"
  (need_plot_python) || say "no matplotlib: PyPI did not give it; the tests of plots are skipped"
  find_tools
  run_lit lit dev all check-flash
}

# seen <name> <file or folder>...: whether the suite passed on exactly these before; then it counts what it counted.
# After the suite, `remember` keeps what it counted, if nothing failed.
seen() {
  local name=$1 count
  shift
  seen_stamp="$FLASH_BUILD/passed/$name-$(find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-40)"
  seen_passed=$passed seen_failed=$failed
  [ -f "$seen_stamp" ] || return 1
  count=$(cat "$seen_stamp")
  say "unchanged since it passed: $count"
  pass "$count"
}
remember() {
  [ "$failed" -eq "$seen_failed" ] && [ "$passed" -gt "$seen_passed" ] || return 0
  mkdir -p "$FLASH_BUILD/passed"
  echo $((passed - seen_passed)) >"$seen_stamp"
}

# matrix <name> <program> <arguments>...: its last line says what passed.
matrix() {
  local name=$1 log="$FLASH_BUILD/$1.log" tool=$2 good bad status=0
  shift 2
  "$tool" "$@" </dev/null 2>&1 | tee "$log" || status=$?
  good=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1/p' "$log" | tail -n 1)
  bad=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\2/p' "$log" | tail -n 1)
  pass "${good:-0}"
  if [ "${bad:-0}" -gt 0 ]; then
    fail "$name: $bad of its cases" "$bad"
  elif [ "$status" -ne 0 ] || [ "${good:-0}" -eq 0 ]; then
    fail "$name did not run to its end"
  fi
}

# commit_seed <n>: random draws differ from commit to commit, yet are the same wherever this one is tested.
commit_seed() {
  local tree
  tree=$(git rev-parse --quiet --verify 'HEAD^{tree}' 2>/dev/null) || tree=$RANDOM
  echo $((16#$(printf '%s %s' "$tree" "$1" | sha256sum | cut -c 1-8)))
}

# part <N> <n>: the part of N that this commit's turn is, as flash-matrix takes it; all of it with --whole.
part() {
  if [ "$whole" = yes ]; then echo 1/1; else echo "$(($(commit_seed "$2") % $1 + 1))/$1"; fi
}

# of <count> <count with --whole>
of() { if [ "$whole" = yes ]; then echo "$2"; else echo "$1"; fi; }

suite_matrix() {
  local part
  part=$(part 3 4)
  check "building flash-matrix" need_build dev flash-matrix
  seen "matrix-${part/\//-of-}" "$FLASH_BUILD/bin/flash-matrix" && return
  matrix matrix-cpu "$FLASH_BUILD/bin/flash-matrix" --target=cpu --part="$part"
  remember
}

suite_io() {
  local part
  part=$(part 3 5)
  check "building flash-matrix" need_build dev flash-matrix
  seen "io-${part/\//-of-}" "$FLASH_BUILD/bin/flash-matrix" && return
  matrix matrix-io "$FLASH_BUILD/bin/flash-matrix" --target=cpu --io --opt-level=0 --part="$part"
  remember
}

# Kinds of processors: SSE, AVX2, AVX-512, and AVX-512 with registers of bf16.
FLASH_CPUS=(x86-64-v2 x86-64-v3 x86-64-v4 znver4)
# Descriptions that differ from each other in all that tiles depend on.
FLASH_DESCRIPTIONS=(x86-64-v2 sapphirerapids)
suite_cpus() {
  local cpu part seed description
  check "the build for cpus" need_build dev all
  for cpu in "${FLASH_CPUS[@]}"; do
    part=$(part 24 "6 $cpu") seed=$(commit_seed "7 $cpu")
    matrix "cpus-$cpu" "$FLASH_BUILD/bin/flash-matrix" --head-dims --target="cpu:$cpu" --run-if-possible --part="$part"
    matrix "cpus-fuzz-$cpu" "$FLASH_BUILD/bin/flash-fuzz" --target="cpu:$cpu" --compile-only --opt-level=3 --seed="$seed" \
      --count="$(of 60 2000)"
  done
  # Of a sample, one of the descriptions, and of the tests those that are about CPUs.
  local filter='flash-run|flash-fuzz|Pipelines|Dialect/Flash|Integration/CPU|CAPI|Target/CPU|Conversion/(FlashToCPU|LinalgToFlash)'
  local descriptions=("${FLASH_DESCRIPTIONS[@]}")
  if [ "$whole" = yes ]; then filter=.; else descriptions=("${FLASH_DESCRIPTIONS[$(($(commit_seed 8) % ${#FLASH_DESCRIPTIONS[@]}))]}"); fi
  for description in "${descriptions[@]}"; do
    local log="$FLASH_BUILD/cpus-$description.log" status=0
    find_tools
    "$(find_lit)" -sv "-j$FLASH_JOBS" "-Dcpu=$description" --filter="$filter" "$FLASH_BUILD/test" 2>&1 | tee "$log" || status=$?
    count "lit -Dcpu=$description" "$log" "$status"
  done
}

# What is found stands in the log with its seed.
suite_fuzz() {
  check "building flash-fuzz" need_build dev flash-fuzz
  matrix fuzz-same "$FLASH_BUILD/bin/flash-fuzz" --seed=1 --count=300
  matrix fuzz-commit "$FLASH_BUILD/bin/flash-fuzz" --seed="$(commit_seed 1)" --count="$(of 400 10000)"
  matrix fuzz-optimized "$FLASH_BUILD/bin/flash-fuzz" --seed="$(commit_seed 2)" --count="$(of 80 4000)" --opt-level=3
}

suite_gpu() {
  if ! nvidia-smi -L >/dev/null 2>&1; then
    say "no GPU here: nothing to run"
    return
  fi
  local log="$FLASH_BUILD/gpu.log" status=0
  test/Integration/GPU/run.sh "$FLASH_BUILD/bin" 2>&1 | tee "$log" || status=$?
  pass "$(sed -n '$s/^\([0-9]*\) passed.*/\1/p' "$log")"
  [ "$status" -eq 0 ] || fail "gpu" "$(sed -n '$s/.* \([0-9]*\) failed$/\1/p' "$log")"
}

# consumer <example>: builds it against what is installed, in build/<example>.
consumer() {
  local build="$FLASH_BUILD/$1"
  [ -f "$build/build.ninja" ] || cmake -S "examples/$1" -B "$build" -G Ninja -DCMAKE_PREFIX_PATH="$FLASH_BUILD/stage" \
    -DCMAKE_C_COMPILER=clang-22 -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld-22 \
    -DCMAKE_BUILD_TYPE=Release --log-level=WARNING
  ninja -C "$build"
}
window_mask() {
  local input=examples/window-mask/attention.mlir
  consumer window-mask && "$FLASH_BUILD/window-mask/window-mask-opt" $input --pass-pipeline='builtin.module(
    func.func(flash-choose-schedule{target=cpu:x86-64-v3},flash-tile-attention,flash-decompose-attention),canonicalize,cse)' |
    FileCheck-22 $input
}
attention_op() {
  local tool="$FLASH_BUILD/attention-op/attention-op-opt" input=examples/attention-op/decode.mlir
  consumer attention-op && "$tool" $input --pass-pipeline='builtin.module(
    func.func(flash-insert-checks,flash-choose-schedule{target=cpu:x86-64-v3}))' | FileCheck-22 $input &&
    "$tool" examples/attention-op/too-wide.mlir --verify-diagnostics \
      --pass-pipeline='builtin.module(func.func(flash-choose-schedule{target=sm_90a}))'
}
half_mma() {
  local tool="$FLASH_BUILD/half-mma/half-mma-opt" input=examples/half-mma/product.mlir ptx="$FLASH_BUILD/half-mma/product.ptx"
  need_ptxas && consumer half-mma && "$tool" $input --pass-pipeline='builtin.module(gpu.module(gpu.func(flash-tile-allocate-shared)),
    flash-gpu-lowering-pipeline{target=sm_80})' | "$FLASH_BUILD/bin/flash-translate" --flash-to-ptx --flash-target=sm_80 -o "$ptx" &&
    FileCheck-22 $input <"$ptx" && "$FLASH_PTXAS" -arch=sm_80 "$ptx" -o "$ptx.cubin"
}
install_stage() { need_build dev all && cmake --install "$FLASH_BUILD" --prefix "$FLASH_BUILD/stage" >"$FLASH_BUILD/install.log"; }
suite_consumer() {
  check "the installation for projects outside the tree" install_stage
  check "find_package(Flash), a mask" window_mask
  check "find_package(Flash), an attention" attention_op
  check "find_package(Flash), a matrix instruction" half_mma
}

# A venv with what the package's tests use, made once for a list of packages.
PYTHON_PACKAGES=(numpy==2.4.6 pytest==9.2.0 pytest-xdist==3.8.0 ml_dtypes==0.6.0 jax==0.10.2)
TORCH_PACKAGES=(filelock sympy networkx jinja2 fsspec typing-extensions)
TORCH_WHEELS=(torch nvidia-cusparselt-cu13 nvidia-nvshmem-cu13 nvidia-nccl-cu13 nvidia-cufile)
need_python_venv() {
  local venv="$FLASH_BUILD/python-venv" wanted="${PYTHON_PACKAGES[*]}"
  local torch=no
  [ "$whole" = yes ] && ls -d /usr/local/cuda-13* >/dev/null 2>&1 && torch=yes && wanted+=" torch"
  [ "$(cat "$venv/packages" 2>/dev/null)" != "$wanted" ] || return 0
  need_packages python3-venv
  say "installing ${PYTHON_PACKAGES[*]} in ${venv#"$FLASH_ROOT"/}"
  python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q "${PYTHON_PACKAGES[@]}" </dev/null || return 1
  if [ $torch = yes ]; then
    "$venv/bin/pip" install -q "${TORCH_PACKAGES[@]}" </dev/null && "$venv/bin/pip" install -q --no-deps "${TORCH_WHEELS[@]}" </dev/null || return 1
  fi
  echo "$wanted" >"$venv/packages"
}

# pytest's last line says what passed.
suite_python() {
  local log="$FLASH_BUILD/python.log" status=0 good bad
  check "the build for the Python package" need_build dev flash-c flash-run
  check "packages of PyPI for the Python package" need_python_venv
  (need_ptxas) || say "no assembler: what needs one is skipped"
  find_tools
  (cd python && FLASH_LIBRARY="$FLASH_BUILD/lib/libflash-c.so" PYTHONPATH=src "$FLASH_BUILD/python-venv/bin/python" -m pytest -q -n "$FLASH_JOBS" \
    --dist worksteal -p no:cacheprovider tests) 2>&1 | tee "$log" || status=$?
  good=$(tail -n 1 "$log" | awk '{ for (i = 2; i <= NF; ++i) if ($i ~ /^passed,?$/) print $(i - 1) }')
  bad=$(tail -n 1 "$log" | awk '{ for (i = 2; i <= NF; ++i) if ($i ~ /^(failed|errors?),?$/) n += $(i - 1) } END { print n + 0 }')
  pass "${good:-0}"
  if [ "${bad:-0}" -gt 0 ]; then
    fail "python: $bad of its tests" "$bad"
  elif [ "$status" -ne 0 ] || [ "${good:-0}" -eq 0 ]; then
    fail "pytest did not run to its end"
  fi
}

suite_docs() {
  check "scripts/quickstart.sh cpu" scripts/quickstart.sh cpu
  check "generated references (mlir-doc)" need_build dev flash-opt flash-run mlir-doc
  check "documentation in line with the code (scripts/update-docs.py renews it)" scripts/update-docs.py --check
}
suite_format() { check "clang-format (scripts/format.sh formats)" scripts/format.sh --check; }

# One file: its verdict is kept under a key of everything that it could depend on.
tidy_file() {
  local file=$1 key stamp
  key=$( (cat "$file"; echo "$FLASH_HEADERS_KEY") | sha256sum | cut -c 1-40)
  stamp="$FLASH_BUILD/tidy/$key"
  [ -f "$stamp" ] && return 0
  if clang-tidy-22 -p "$FLASH_BUILD" --quiet "$FLASH_ROOT/$file" >"$stamp.log" 2>&1; then
    echo "$file" >"$stamp"
    echo "   $file"
  else
    grep -v 'warnings generated\|warnings treated as errors' "$stamp.log"
    echo "FAILED: clang-tidy $file"
    return 1
  fi
}
suite_tidy() {
  local files log="$FLASH_BUILD/tidy.log"
  check "the build before clang-tidy" need_build dev all
  mkdir -p "$FLASH_BUILD/tidy"
  # What CMake left out (the comparison with cuda.h, where there is no toolkit) has no compile command.
  mapfile -t files < <(our_files 'lib/*.cpp' 'tools/*.cpp' 'unittests/*.cpp' | while read -r file; do
    if grep -qF "\"$FLASH_ROOT/$file\"" "$FLASH_BUILD/compile_commands.json"; then
      echo "$file"
    elif [ -f "$file" ]; then
      say "not in this build: $file" >&2
    fi
  done)
  FLASH_HEADERS_KEY=$( (our_files '*.h' '*.td' '*.def' '*.clang-tidy' | xargs cat; cat "$FLASH_BUILD/CMakeCache.txt" | grep -i 'MLIR_DIR\|CXX_COMPILER:') | sha256sum)
  export -f tidy_file
  export FLASH_HEADERS_KEY FLASH_BUILD FLASH_ROOT
  printf '%s\n' "${files[@]}" | xargs -P "$FLASH_JOBS" -I{} bash -c 'tidy_file {}' 2>&1 | tee "$log" || true
  local bad
  bad=$(grep -c '^FAILED: clang-tidy' "$log" || true)
  [ ${#files[@]} -gt 0 ] || fail "clang-tidy found no files"
  pass $((${#files[@]} - bad))
  [ "$bad" -eq 0 ] || fail "clang-tidy: $bad files" "$bad"
}

suite_asan() {
  check "the build with sanitizers" need_build asan all
  # Other mutants for each commit: what did not change since it passed is not run again, these are.
  matrix mutants test/mutate.py --build=build-asan --seed="$(commit_seed 3)" --batches="$(of 80 4000)"
  seen asan build-asan/bin build-asan/unittests/bin test && return
  find_tools
  run_lit asan asan check-flash
  remember
}
suite_portable() {
  check "self-contained tools" scripts/package.sh --check
  check "the Python wheel" scripts/package.sh --wheel --check
}

step "Packages"
need_packages "${FLASH_PACKAGES_BUILD[@]}" "${FLASH_PACKAGES_TEST[@]}"
need_llvm
mkdir -p "$FLASH_BUILD"
for suite in "${suites[@]}"; do
  [ "$(type -t "suite_$suite")" = function ] || die "There is no suite '$suite'; the suites are: ${all_suites[*]}."
  step "$suite"
  "suite_$suite"
done

step "Result"
for failure in "${failures[@]:-}"; do [ -z "$failure" ] || say "FAILED: $failure"; done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
