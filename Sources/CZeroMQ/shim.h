#pragma once
#include <errno.h>
#include <sys/eventfd.h>
#include <zmq.h>

/// Glibc's Swift module does not export eventfd(2).
static inline int pdsweep_eventfd(void) {
  return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}
