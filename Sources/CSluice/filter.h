// A seccomp filter under construction: which answer each system call gets. confinement.c and
// sandbox.c build one each.
#pragma once
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include "CSluice.h"

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
// From this number on, calls belong to the x32 ABI.
#define NUMBER_END 0x40000000u
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#define NUMBER_END 0x40000000u
#else
#error "which system calls does this processor have?"
#endif

#ifndef SECCOMP_FILTER_FLAG_TSYNC_ESRCH
#define SECCOMP_FILTER_FLAG_TSYNC_ESRCH (1UL << 4)
#endif

#define ALLOWED SECCOMP_RET_ALLOW
#define KILLED SECCOMP_RET_KILL_PROCESS
#define FAILS_WITH(error) (SECCOMP_RET_ERRNO | (error))

enum { instruction_count_max = 1024 };

struct filter {
  struct sock_filter instructions[instruction_count_max];
  int count;
};

static inline void add(struct filter *filter, uint16_t code, uint32_t k, int skipped_if,
                       int skipped_else) {
  if (filter->count == instruction_count_max) abort();
  filter->instructions[filter->count++] =
      (struct sock_filter){code, (uint8_t)skipped_if, (uint8_t)skipped_else, k};
}

static inline void answer(struct filter *filter, uint32_t action) {
  add(filter, BPF_RET | BPF_K, action, 0, 0);
}

static inline void load(struct filter *filter, size_t offset) {
  add(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

// The offset of an argument's low half. These processors are little-endian.
static inline size_t argument(int index) {
  return offsetof(struct seccomp_data, args) + (size_t)index * sizeof(uint64_t);
}

static inline void begin(struct filter *filter, uint32_t foreign) {
  filter->count = 0;
  load(filter, offsetof(struct seccomp_data, arch));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0);
  answer(filter, foreign);
  load(filter, offsetof(struct seccomp_data, nr));
  add(filter, BPF_JMP | BPF_JGE | BPF_K, NUMBER_END, 0, 1);
  answer(filter, FAILS_WITH(ENOSYS));
}

// One answer for every call of `number`.
static inline void for_call(struct filter *filter, int number, uint32_t action) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1);
  answer(filter, action);
}

static inline void for_calls(struct filter *filter, const int *numbers, size_t count,
                             uint32_t action) {
  for (size_t i = 0; i < count; i++) for_call(filter, numbers[i], action);
}

// One answer if the argument is one of `values`, another if it is not.
static inline void for_values(struct filter *filter, int number, int index,
                              const uint32_t *values, int count, uint32_t action,
                              uint32_t otherwise) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, count + 3);
  load(filter, argument(index));
  for (int i = 0; i < count; i++)
    add(filter, BPF_JMP | BPF_JEQ | BPF_K, values[i], count - i, 0);
  answer(filter, otherwise);
  answer(filter, action);
}

// One answer if the argument has any of `bits`, another if it has none.
static inline void for_bits(struct filter *filter, int number, int index, uint32_t bits,
                            uint32_t action, uint32_t otherwise) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
  load(filter, argument(index));
  add(filter, BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
  answer(filter, action);
  answer(filter, otherwise);
}

// One answer if the argument is `value`. Any other value is left to what follows.
static inline void for_value(struct filter *filter, int number, int index, uint32_t value,
                             uint32_t action) {
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 4);
  load(filter, argument(index));
  add(filter, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
  answer(filter, action);
  load(filter, offsetof(struct seccomp_data, nr));
}

static inline int enter(struct filter *filter) {
  struct sock_fprog program = {(unsigned short)filter->count, filter->instructions};
  // Binds all threads at once, because the process may have others, for example a sanitizer's.
  unsigned long flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? -errno : 0;
}
