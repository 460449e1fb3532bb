// clang-format off
// RUN: %cc -std=c99 -Wall -Wextra -Werror -pedantic -I%flash_src/include %s -o %t -L%flash_obj/lib -lflash-c -Wl,-rpath,%flash_obj/lib -lm
// RUN: %t | FileCheck %s
// clang-format on
//
// The C library, used as a C99 program uses it.

#include "flash-c/Runtime.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *program =
    "func.func @attention(%q: tensor<?x2x?x8xf32>, %k: tensor<?x1x?x8xf32>, "
    "%v: tensor<?x1x?x8xf32>)\n"
    "    -> (tensor<?x2x?x8xf32>, tensor<?x2x?xf32>) {\n"
    "  %o, %lse = flash.attention %q, %k, %v {mask = #flash.causal, scale = "
    "1.0 : f32}\n"
    "      : tensor<?x2x?x8xf32>, tensor<?x1x?x8xf32>, tensor<?x1x?x8xf32>\n"
    "      -> tensor<?x2x?x8xf32>, tensor<?x2x?xf32>\n"
    "  return %o, %lse : tensor<?x2x?x8xf32>, tensor<?x2x?xf32>\n"
    "}\n";

static void printValue(const char *what, const FlashValueInfo *info) {
  printf("%s %s type %d:", what, info->name, (int)info->type);
  for (int32_t i = 0; i < info->rank; ++i)
    printf(" %ld", (long)info->dims[i]);
  printf("\n");
}

int main(void) {
  FlashFunction *bad = flashCompile("func.func @f(", 13, "cpu", NULL);
  /* CHECK: null 1: program:1:{{[0-9]+}}: {{.+}}
   */
  printf("null %d: %s\n", bad == NULL, flashGetLastError());
  bad = flashCompile(program, strlen(program), "cpu", "speed=11");
  /* CHECK: null 1: there is no option 'speed'
   */
  printf("null %d: %s\n", bad == NULL, flashGetLastError());

  FlashFunction *f = flashCompile(program, strlen(program), "cpu",
                                  "entry=attention; split-kv=2");
  if (!f) {
    printf("failed: %s\n", flashGetLastError());
    return 1;
  }
  /* CHECK: argument query type 1: -1 2 -1 8
   * CHECK: argument key type 1: -1 1 -1 8
   * CHECK: argument value type 1: -1 1 -1 8
   * CHECK: result o type 1: -1 2 -1 8
   * CHECK: result lse type 1: -1 2 -1
   * CHECK: no argument 3
   */
  FlashValueInfo info;
  for (int32_t i = 0; i < flashFunctionGetNumArguments(f); ++i)
    if (!flashFunctionGetArgument(f, i, &info))
      printValue("argument", &info);
  for (int32_t i = 0; i < flashFunctionGetNumResults(f); ++i)
    if (!flashFunctionGetResult(f, i, &info))
      printValue("result", &info);
  if (flashFunctionGetArgument(f, 3, &info))
    printf("%s\n", flashGetLastError());

  /* Two queries and two keys. Scores are 0 and ln 3 for all rows, so that the
   * first query (which sees one key) copies a value and the second mixes 1:3.
   */
  float q[2 * 2 * 8] = {0}, k[2 * 8] = {0}, v[2 * 8] = {0}, o[2 * 2 * 8],
                  lse[2 * 2];
  for (int row = 0; row < 4; ++row)
    q[row * 8] = 1;
  k[8] = logf(3);
  for (int d = 0; d < 8; ++d) {
    v[d] = 4;
    v[8 + d] = 8;
  }
  int64_t qDims[] = {1, 2, 2, 8}, kDims[] = {1, 1, 2, 8},
          wrong[] = {1, 1, 3, 8};
  FlashArgument arguments[] = {{.data = q, .dims = qDims},
                               {.data = k, .dims = kDims},
                               {.data = v, .dims = kDims}};
  int64_t oDims[4], lseDims[3];
  int64_t *shapes[] = {oDims, lseDims};
  if (flashFunctionGetResultShapes(f, arguments, shapes)) {
    printf("failed: %s\n", flashGetLastError());
    return 1;
  }
  /* CHECK: o 1 2 2 8, lse 1 2 2
   */
  printf("o %d %d %d %d, lse %d %d %d\n", (int)oDims[0], (int)oDims[1],
         (int)oDims[2], (int)oDims[3], (int)lseDims[0], (int)lseDims[1],
         (int)lseDims[2]);

  FlashArgument results[] = {{.data = o, .dims = oDims}, {.data = lse}};
  flashSetNumThreads(1);
  if (flashFunctionPrepare(f) ||
      flashFunctionLaunch(f, arguments, results, NULL)) {
    printf("failed: %s\n", flashGetLastError());
    return 1;
  }
  /* CHECK: o 4.0000 7.0000 4.0000 7.0000
   * CHECK: lse 0.0000 1.3863 0.0000 1.3863
   */
  printf("o %.4f %.4f %.4f %.4f\n", o[0], o[8 + 7], o[16 + 3], o[24]);
  printf("lse %.4f %.4f %.4f %.4f\n", fabsf(lse[0]), lse[1], fabsf(lse[2]),
         lse[3]);

  /* CHECK: length differs: key has 2, value has 3
   */
  arguments[2].dims = wrong;
  if (flashFunctionLaunch(f, arguments, results, NULL))
    printf("%s\n", flashGetLastError());
  /* Keys and values that are every second row of a larger tensor, and a result
   * whose heads and queries have changed places.
   */
  float wide[4 * 8], turned[2 * 2 * 8];
  for (int row = 0; row < 4; ++row)
    for (int d = 0; d < 8; ++d)
      wide[row * 8 + d] = row % 2 ? -100.0f : v[row / 2 * 8 + d];
  int64_t skip[] = {32, 32, 16, 1}, swapped[] = {32, 8, 16, 1};
  arguments[2].data = wide;
  arguments[2].dims = kDims;
  arguments[2].strides = skip;
  FlashArgument view[] = {{.data = turned, .strides = swapped}, {.data = lse}};
  size_t workspace = 1;
  /* CHECK: turned 4.0000 4.0000 7.0000 7.0000, workspace 0
   */
  if (flashFunctionGetWorkspaceSize(f, arguments, &workspace) ||
      flashFunctionLaunchWithWorkspace(f, arguments, view, NULL, 0, NULL)) {
    printf("failed: %s\n", flashGetLastError());
    return 1;
  }
  printf("turned %.4f %.4f %.4f %.4f, workspace %d\n", turned[0], turned[8],
         turned[16], turned[24], (int)workspace);
  /* CHECK: argument 2 ('value') of 'attention': the last dimension has a stride
   * of 2
   */
  skip[3] = 2;
  if (flashFunctionLaunch(f, arguments, view, NULL))
    printf("%s\n", flashGetLastError());

  /* CHECK: on device 0, ptx 0, llvm 1
   */
  size_t size = 0;
  const char *code = flashFunctionGetCode(f, "llvm", &size);
  int hasCode = code && size == strlen(code) && strstr(code, "define") != NULL;
  printf("on device %d, ptx %d, llvm %d\n", flashFunctionIsOnDevice(f),
         flashFunctionGetCode(f, "ptx", NULL) != NULL, hasCode);
  flashFunctionDestroy(f);
  return 0;
}
