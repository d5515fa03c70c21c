#pragma once
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

/// Glibc's Swift module does not export eventfd(2).
static inline int pdsweep_eventfd(void) {
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/// Names the calling thread, for top and debuggers; prctl(2) is variadic, which Swift does not import.
static inline void pdsweep_name_thread(const char *name) {
  prctl(PR_SET_NAME, name);
}
