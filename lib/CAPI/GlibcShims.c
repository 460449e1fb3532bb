/*===- GlibcShims.c - What an older glibc lacks ---------------------------===*\
|*                                                                            *|
|* Part of Flash, under the Apache License v2.0 with LLVM Exceptions.         *|
|* See LICENSE for license information.                                       *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The wheel's library runs on glibc 2.28, and is linked of archives that     *|
|* were compiled against a newer one. What they name of it, and 2.28 has not, *|
|* is here, in terms of what it has. Nothing of it is seen from outside.      *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include <stddef.h>
#include <stdint.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* Declared here: a header of today's glibc would turn these into others. */
struct stat;
int __xstat(int version, const char *path, struct stat *status);
int __lxstat(int version, const char *path, struct stat *status);
int __fxstat(int version, int file, struct stat *status);
int __xmknod(int version, const char *path, unsigned mode, uint64_t *device);
int __cxa_atexit(void (*function)(void *), void *argument, void *library);
long getrandom(void *bytes, size_t count, unsigned flags);

/* On x86-64 the versions of struct stat and of mknod are 1 and 0. */
enum { kStatVersion = 1, kMknodVersion = 0 };

HIDDEN int stat(const char *path, struct stat *status) {
  return __xstat(kStatVersion, path, status);
}
HIDDEN int stat64(const char *path, struct stat *status) {
  return __xstat(kStatVersion, path, status);
}
HIDDEN int lstat(const char *path, struct stat *status) {
  return __lxstat(kStatVersion, path, status);
}
HIDDEN int lstat64(const char *path, struct stat *status) {
  return __lxstat(kStatVersion, path, status);
}
HIDDEN int fstat(int file, struct stat *status) {
  return __fxstat(kStatVersion, file, status);
}
HIDDEN int fstat64(int file, struct stat *status) {
  return __fxstat(kStatVersion, file, status);
}
HIDDEN int mknod(const char *path, unsigned mode, uint64_t device) {
  return __xmknod(kMknodVersion, path, mode, &device);
}

/* Of crtbegin.o and libc_nonshared.a, which are not linked. */
HIDDEN void *__dso_handle = &__dso_handle;
HIDDEN int atexit(void (*function)(void)) {
  return __cxa_atexit((void (*)(void *))function, NULL, &__dso_handle);
}

/* For libstdc++, which asks whether locks can be left out: they cannot. */
HIDDEN char __libc_single_threaded = 0;

HIDDEN uint32_t arc4random(void) {
  uint32_t number = 0;
  size_t done = 0;
  while (done < sizeof(number)) {
    long count = getrandom((char *)&number + done, sizeof(number) - done, 0);
    if (count > 0)
      done += (size_t)count;
  }
  return number;
}

/* Statistics that LLVM prints on request; size_t where mallinfo has int. */
struct mallinfo_t {
  int fields[10];
};
struct mallinfo2_t {
  size_t fields[10];
};
struct mallinfo_t mallinfo(void);
HIDDEN struct mallinfo2_t mallinfo2(void) {
  struct mallinfo_t narrow = mallinfo();
  struct mallinfo2_t wide;
  for (int i = 0; i < 10; ++i)
    wide.fields[i] = (unsigned)narrow.fields[i];
  return wide;
}
