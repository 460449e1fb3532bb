"""by-length.py IN OUT: the table with three schedules for the lengths of each problem of a CPU, that differ in both tile sizes."""
import json
import sys

table = json.load(open(sys.argv[1]))
text = "#flash.schedule<m = %d, n = %d, d = 1, transposed = true, peel = true>"
for entry in table["entries"]:
    entry["schedules"] = [{"up_to": 20, "schedule": text % (48, 16)}, {"up_to": 40, "schedule": text % (24, 32)}, {"schedule": text % (96, 24)}]
json.dump(table, open(sys.argv[2], "w"))
