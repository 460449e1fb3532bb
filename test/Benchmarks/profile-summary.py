# RUN: env PYTHONPATH=%flash_src/benchmarks %python %s %t.csv | FileCheck %s
"""The table of profiles: the longest kernel of a file, units, the stall reasons in order."""

import subprocess
import sys

import profile_summary

path = sys.argv[1]
with open(path, "w") as file:
    file.write('''==PROF== Connected to process 1
"ID","Process ID","Kernel Name","gpu__time_duration.sum","smsp__cycles_elapsed.avg.per_second","dram__bytes_read.sum","launch__registers_per_thread","sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active","smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio","smsp__average_warps_issue_stalled_wait_per_issue_active.ratio","smsp__average_warps_issue_stalled_selected_per_issue_active.ratio"
"","","","ns","hz","byte","register/thread","%","inst","inst","inst"
"0","1","fill","1,000","1,000,000,000","5","16","0","9","9","1"
"1","1","attention","1,480,000","1,755,000,000","201,326,592","168","94.9","0.5","1.5","1"
''')

# CHECK: kernel attention
# CHECK: duration, us 1480.0
# CHECK: SM clock, MHz 1755
# CHECK: tensor pipe active, % 94.9
# CHECK: DRAM read, MB 201.3
# CHECK: registers a thread 168
# CHECK: stall: wait 1.50 (75 %)
# CHECK-NEXT: stall: barrier 0.50 (25 %)
# CHECK-NOT: selected
profile_summary.sys.argv = ["profile_summary.py", f"sm_90a@m=128={path}"]
profile_summary.main()
with open(path, "w") as file:
    file.write("==ERROR== no permission\n")
# CHECK: has no table: ==ERROR== no permission
result = subprocess.run([sys.executable, profile_summary.__file__, f"ours={path}"], capture_output=True, text=True)
print(result.stderr, result.returncode)
