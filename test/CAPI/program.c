// clang-format off
// RUN: rm -rf %t.dir && mkdir -p %t.dir
// RUN: flash-run %flash_src/examples/attention.mlir --target=sm_90a --emit=program -o %t.dir/f.flash
// RUN: head -c 500 %t.dir/f.flash > %t.dir/cut.flash
// RUN: %cc -std=c99 -Wall -Wextra -Werror -pedantic -I%flash_src/include %s -o %t -L%flash_obj/lib -lflash-runtime -Wl,-rpath,%flash_obj/lib
// RUN: %t %t.dir | FileCheck %s
// RUN: %cxx -std=c++17 -Wall -Wextra -Werror -x c++ -I%flash_src/include %s -o %t.cxx -L%flash_obj/lib -lflash-runtime -Wl,-rpath,%flash_obj/lib
// RUN: %t.cxx %t.dir | FileCheck %s
// RUN: not flash-run %flash_src/examples/attention.mlir --target=cpu --emit=program 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: %python -c "import os, subprocess, sys; path = r'%flash_obj/lib/libflash-runtime.so'; needed = subprocess.run(['readelf', '-d', path], capture_output=True, text=True, check=True).stdout; sys.exit(os.path.getsize(path) > 1000000 or 'LLVM' in needed or 'MLIR' in needed)"
// clang-format on
//
// A program that was compiled ahead of time, loaded by the library without a
// compiler, from C and from C++.

#include "flash-c/Program.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  char path[4096];
  FlashFunction *f;
  FlashValueInfo info;
  int32_t i;
  if (argc != 2)
    return 1;
  /* CHECK: missing 1: the program '{{.*}}none.flash' cannot be read
   * CHECK: cut 1: '{{.*}}cut.flash': the program is damaged: it was cut or
   * changed
   */
  snprintf(path, sizeof(path), "%s/none.flash", argv[1]);
  f = flashProgramLoad(path);
  printf("missing %d: %s\n", f == NULL, flashGetLastError());
  snprintf(path, sizeof(path), "%s/cut.flash", argv[1]);
  f = flashProgramLoad(path);
  printf("cut %d: %s\n", f == NULL, flashGetLastError());

  snprintf(path, sizeof(path), "%s/f.flash", argv[1]);
  f = flashProgramLoad(path);
  if (!f) {
    printf("failed: %s\n", flashGetLastError());
    return 1;
  }
  /* CHECK: query 4 of type 3
   * CHECK: key 4 of type 3
   * CHECK: value 4 of type 3
   * CHECK: o 4 of type 3
   */
  for (i = 0; i < flashFunctionGetNumArguments(f); ++i)
    if (!flashFunctionGetArgument(f, i, &info))
      printf("%s %d of type %d\n", info.name, (int)info.rank, (int)info.type);
  if (!flashFunctionGetResult(f, 0, &info))
    printf("%s %d of type %d\n", info.name, (int)info.rank, (int)info.type);

  /* Sizes are checked without a GPU.
   * CHECK: o 2 32 77 128
   * CHECK: length differs: key has 77, value has 78
   */
  int64_t qDims[] = {2, 32, 77, 128}, kDims[] = {2, 8, 77, 128},
          vDims[] = {2, 8, 78, 128}, o[4], lse[3];
  int64_t *shapes[] = {o, lse};
  FlashArgument arguments[3];
  memset(arguments, 0, sizeof(arguments));
  for (i = 0; i < 3; ++i) {
    arguments[i].data = path - (size_t)path % 64 + 64;
    arguments[i].dims = i ? kDims : qDims;
  }
  if (!flashFunctionGetResultShapes(f, arguments, shapes))
    printf("o %d %d %d %d\n", (int)o[0], (int)o[1], (int)o[2], (int)o[3]);
  arguments[2].dims = vDims;
  if (flashFunctionGetResultShapes(f, arguments, shapes))
    printf("%s\n", flashGetLastError());
  /* CHECK: device 1, plan 1, ptx 0
   */
  printf("device %d, plan %d, ptx %d\n", flashFunctionIsOnDevice(f),
         flashFunctionGetCode(f, "plan", NULL) != NULL,
         flashFunctionGetCode(f, "ptx", NULL) != NULL);
  flashFunctionDestroy(f);
  return 0;
}
/* CPU: error: the target cpu has no program
 */
