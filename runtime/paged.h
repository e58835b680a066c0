/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory whose pages may be elsewhere (distributed shared memory): a touch may fault and wait for other
 * ranks. One window of addresses holds all of it. The kernel and MPI cannot take such a fault, so calls
 * that are given a buffer there let the calling thread copy it from or to ordinary memory, outside all
 * locks and marks (fault.h).
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

#endif
