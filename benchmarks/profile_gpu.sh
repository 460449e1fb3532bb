#!/usr/bin/env bash
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Where the cycles of a kernel go: Nsight Compute on ours beside a peer's, on the same inputs, and a table of both.
# Clocks are left as they are, so times are those of a single launch on a cold board.
#
#   benchmarks/profile_gpu.sh FOLDER [KERNEL...] [-- ARGUMENTS]
#
# KERNEL is a peer (cudnn, fa2, flex) or one of ours as `--schedules` of attention_gpu.py names it; by default sm_90a cudnn.
# ARGUMENTS go to profile_one.py: --backward --case causal --head-dim 64 --length 4096 ... FOLDER gets, for each kernel, a report
# (.ncu-rep) for ncu-ui and all metrics (.csv); FLASH_NCU_ARGS adds options for ncu (`--set source --import-source yes`).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { sed -n '6,15s/^# \{0,1\}//p' "$0"; exit 2; }
out=$1
shift
kernels=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  kernels+=("$1")
  shift
done
[ $# -eq 0 ] || shift
[ ${#kernels[@]} -gt 0 ] || kernels=(sm_90a cudnn)
mkdir -p "$out"

ncu=${FLASH_NCU:-$(command -v ncu || ls /usr/local/cuda/bin/ncu /opt/nvidia/nsight-compute/*/ncu 2>/dev/null | tail -n 1 || true)}
[ -n "$ncu" ] || { echo "profile_gpu.sh: no ncu: set FLASH_NCU, or put it on the PATH (it is part of the CUDA toolkit)" >&2; exit 1; }

sections=()
for section in SpeedOfLight ComputeWorkloadAnalysis MemoryWorkloadAnalysis WarpStateStats SchedulerStats LaunchStats Occupancy; do
  sections+=(--section "$section")
done
# Beyond the sections, as far as this GPU has them.
known=$("$ncu" --query-metrics 2>/dev/null | awk '{ print $1 }' || true)
metrics=()
for metric in gpu__time_duration.sum smsp__cycles_elapsed.avg.per_second sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active \
  sm__pipe_tensor_op_hmma_cycles_active.avg.pct_of_peak_sustained_active sm__inst_executed_pipe_tensor_op_gmma.avg.pct_of_peak_sustained_active \
  sm__inst_executed_pipe_xu.avg.pct_of_peak_sustained_active sm__pipe_fma_cycles_active.avg.pct_of_peak_sustained_active \
  dram__bytes_read.sum dram__bytes_write.sum lts__t_bytes.sum; do
  if grep -qx "${metric%%.*}" <<<"$known"; then metrics+=("$metric"); fi
done
[ ${#metrics[@]} -eq 0 ] || sections+=(--metrics "$(IFS=,; echo "${metrics[*]}")")

tables=() status=0
for kernel in "${kernels[@]}"; do
  name=$(tr -c 'A-Za-z0-9._\n-' _ <<<"$kernel")
  echo "== $kernel"
  # shellcheck disable=SC2086 # options are words
  if "$ncu" --profile-from-start off --clock-control none --target-processes application-only "${sections[@]}" ${FLASH_NCU_ARGS:-} \
    -f -o "$out/$name" python3 "$here/profile_one.py" "$kernel" "$@" &&
    "$ncu" --import "$out/$name.ncu-rep" --page raw --csv --print-units base >"$out/$name.csv"; then
    tables+=("$kernel=$out/$name.csv")
  else
    echo "profile_gpu.sh: $kernel could not be profiled" >&2
    status=1
  fi
done
[ ${#tables[@]} -eq 0 ] || python3 "$here/profile_summary.py" "${tables[@]}" | tee "$out/summary.txt"
exit $status
