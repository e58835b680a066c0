/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SIGSEGV dispatcher: one owner of the signal for the whole process. Parts register address
 * ranges with a resolver; a fault elsewhere goes to whoever had the handler before.
 */
#ifndef BYRE__FAULT_H
#define BYRE__FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct byre__fault {
    uintptr_t addr;  /* the byte that was touched */
    bool write;      /* from the fault's error code (x86-64, aarch64) */
    bool in_runtime; /* the thread was inside Byre or MPI (byre__inside_enter): it may hold their
                           locks, so the resolver must not drive the engine */
    void *ucontext;  /* ucontext_t of the interrupted code */
    void *range;     /* for byre__fault_leave */
} byre__fault_t;

/* Returns true when the access may be retried. Called in the signal handler with errno saved:
 * async-signal-safe only, until it has made sure that the thread was in application code, which holds no lock
 * of the runtime, of MPI or of the allocator: from there on it may do what that code could (dsm/fault.c). */
typedef bool (*byre__fault_fn)(const byre__fault_t *fault, void *arg);

int byre__fault_init(void);  /* takes SIGSEGV (and SIGBUS), remembers the previous handlers */
void byre__fault_fini(void); /* gives them back if they are still ours */

/* Register [addr, addr+bytes). Ranges do not overlap. Any thread, not from the handler. */
int byre__fault_register(void *addr, size_t bytes, byre__fault_fn fn, void *arg);
/* After return no resolver of the range is running or will run. */
int byre__fault_unregister(void *addr);
/* For a resolver that will not return, but leave by siglongjmp or end the program: from here on it does not
 * count as running, and its range may go. */
void byre__fault_leave(const byre__fault_t *fault);

/* Nesting mark of "this thread is inside Byre or MPI". */
extern _Thread_local int byre__inside __attribute__((tls_model("initial-exec")));
static inline void byre__inside_enter(void)
{
    byre__inside++;
}
static inline void byre__inside_leave(void)
{
    byre__inside--;
}

#endif
