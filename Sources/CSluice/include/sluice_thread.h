// Features of the processor and the thread library that Swift cannot name.
#pragma once
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>

// Tells the processor that this is a spin loop.
static inline void sluice_spin_hint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

// Lets another thread that waits for this processor run.
static inline void sluice_yield(void) { sched_yield(); }

// Orders all memory accesses before this call before all accesses after it.
static inline void sluice_full_barrier(void) { __sync_synchronize(); }

// The kernel's id of the calling thread.
int sluice_thread_id(void);
// Starts a thread with every signal blocked. 0 or -errno.
int sluice_thread_start(const char *name, void *(*body)(void *), void *argument, pthread_t *thread);
// Makes the kernel store FUTEX_OWNER_DIED in *word, which holds the calling thread's id, when that
// thread ends, however it ends. A thread can have one word, and must use no robust mutexes. NULL
// takes the request back. 0 or -errno.
int sluice_thread_announce_end(uint32_t *word);
// How many processors this process may run on.
int sluice_processor_count(void);

// The last failed call of this thread, for xGetLastError.
#define SLUICE_LAST_ERROR_BYTE_COUNT 640
struct sluice_last_error {
  int error_number;
  char text[SLUICE_LAST_ERROR_BYTE_COUNT];
};
struct sluice_last_error *sluice_last_error(void);
static inline char *sluice_last_error_text(struct sluice_last_error *last) { return last->text; }

// The token of the database that this thread used last. The VFS gives it its meaning.
uint64_t sluice_thread_token(void);
void sluice_thread_set_token(uint64_t token);
