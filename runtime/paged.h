/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory whose pages may be elsewhere (distributed shared memory): a touch may fault and wait for other
 * ranks. One window of addresses holds all of it. The kernel and MPI cannot take such a fault, so calls
 * that are given a buffer there let the calling thread copy it from or to ordinary memory.
 *
 * Invariants
 *  P1. Neither MPI nor the kernel ever sees a buffer in the window.
 *  P2. No handler, no done() of a wait and no code under a lock or inside a mark (fault.h) touches one:
 *      the copy may fault, and the thread that does drives the engine.
 *  P3. While the copy is made the runtime holds nothing that needs this thread: a touch may also end
 *      with siglongjmp, which costs no more than the ordinary memory.
 */
#ifndef BYRE__PAGED_H
#define BYRE__PAGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Set in byre_init, before any message; empty when there is none. */
extern uintptr_t byre__paged_start, byre__paged_end;

static inline bool byre__is_paged(const void *buf, size_t bytes)
{
    uintptr_t at = (uintptr_t)buf;
    return __builtin_expect(at < byre__paged_end && at + bytes > byre__paged_start, 0);
}

/* Ordinary memory with the same bytes, to be freed; NULL: there is none. Not from handlers (P2). */
void *byre__paged_copy(const void *buf, size_t bytes);

#endif
