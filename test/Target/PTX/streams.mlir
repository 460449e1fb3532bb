// What surrounds a backward reads and writes each row once: in accesses of 16 bytes, without spills.
// RUN: for e in hd128 hd128_f16 hd80 hd72 hd59 hd256; do for t in sm_80 sm_90a; do \
// RUN:   flash-run %s --entry=$e --target=$t --emit=ptx > %t.ptx && %ptxas -v -arch=$t %t.ptx -o /dev/null > %t.log 2>&1 || exit 1; \
// RUN:   grep -A 1 "'${e}'\|'${e}_0'\|'${e}_2'" %t.log | grep "spill" | grep -v "0 bytes stack frame, 0 bytes spill stores" && exit 1; done; done; true
