/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that all ranks see at the same address, lent by the part that has it to others that know nothing of
 * that part.
 */
#ifndef BYRE__LENT_H
#define BYRE__LENT_H

#include <stddef.h>

/* Some of it, zeroed, aligned to a cache line: any rank may use the address, and reads what was written last.
 * BYRE_OK, BYRE_ENOMEM. May fault and wait for other ranks: not from handlers. */
typedef int (*byre__lent_fn)(size_t bytes, void **memory_out);

/* Set by a constructor; NULL: nobody has such memory. */
extern byre__lent_fn byre__lent_memory;

#endif
