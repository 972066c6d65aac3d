// The one function of libm that Swift's dictionaries call, so that the library needs libc only. They
// call it with a count of elements, far below 2⁶².

#include <stdint.h>

__attribute__((visibility("hidden"))) double ceil(double value) {
  int64_t whole = (int64_t)value;
  return (double)(whole < value ? whole + 1 : whole);
}
