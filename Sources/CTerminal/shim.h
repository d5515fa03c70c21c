#pragma once
#include <sys/ioctl.h>

/// The columns of the terminal that a descriptor leads to; 0 where it leads to none, or to one that does not say.
static inline int terminal_columns(int descriptor) {
  struct winsize size;
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
