/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroed memory. Big pieces ask for huge pages: a message of a million objects touches some 50 MB for the first
 * time, and a fault for each 4 KiB of them costs as much as all the rest. */
#ifndef BYRE__RPC_PAGES_H
#define BYRE__RPC_PAGES_H

#include <stddef.h>

enum { BYRE__RPC_HUGE = 2 << 20 };

void *byre__rpc_pages_alloc(size_t bytes);
void byre__rpc_pages_free(void *pages, size_t bytes); /* as many as asked for */
/* The same for memory from aligned_alloc(BYRE__RPC_HUGE): a hint. */
void byre__rpc_pages_huge(void *memory, size_t bytes);

#endif
