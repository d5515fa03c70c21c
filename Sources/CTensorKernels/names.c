#define _GNU_SOURCE

#include "CTensorKernels.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int pdsweep_exchange_names(const char *one, const char *other) {
#ifdef RENAME_EXCHANGE
  return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
#else
  (void)one;
  (void)other;
  errno = ENOSYS;
  return -1;
#endif
}
