"""ended.py IN OUT: a log in which no run came back from any candidate but the first, of which it says nothing."""
import json
import sys

lines = [json.loads(line) for line in open(sys.argv[1])]
first = next(line["schedule"] for line in lines if "schedule" in line)
with open(sys.argv[2], "w") as file:
    for line in lines:
        if "phase" in line or line.get("schedule") == first:
            continue
        if "failure" in line:
            line["failure"] = "a run of the tuner ended in it"
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
