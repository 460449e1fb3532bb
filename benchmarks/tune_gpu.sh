#!/usr/bin/env bash
# Tunes the standard problems on the GPU of this machine, within a budget, and leaves everything in a folder:
#
#   benchmarks/tune_gpu.sh DIRECTORY FOLDER [SECONDS] [OPTIONS...]    DIRECTORY holds flash-run; 180 seconds if not said
#
# FOLDER gets the table (FOLDER/TARGET-DEVICE.json, to be put in data/schedules), the log of measurements, and what the
# tuner said. With the log of a run before in FOLDER, it goes on where that one ended. FLASH_COMMIT names the commit where
# there is no repository; FLASH_PTXAS the assembler.
set -u
tools=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2" || exit 1
budget=${3:-180}
shift $(($# < 3 ? $# : 3))
"$tools/flash-run" --tune --tune-budget="$budget" "$@" >summary.txt 2>progress.txt
status=$?
cat summary.txt
grep "error" progress.txt
[ $status -eq 0 ] || tail -n 5 progress.txt
exit $status
