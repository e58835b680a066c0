/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of messages, tables and arenas: described in pages.c. */
#ifndef BYRE__RPC_PAGES_H
#define BYRE__RPC_PAGES_H

#include <stddef.h>

enum { BYRE__RPC_HUGE = 2 << 20, BYRE__RPC_KEPT_FROM = 32 << 10 };

void *byre__rpc_pages_alloc(size_t bytes);       /* zeroed */
void *byre__rpc_pages_alloc_dirty(size_t bytes); /* whatever it holds */
/* `bytes`: as many as asked for; those from `dirty` on are zero. Less than BYRE__RPC_KEPT_FROM may be malloc's. */
void byre__rpc_pages_free(void *pages, size_t bytes, size_t dirty);
/* Give back what is kept. */
void byre__rpc_pages_stop(void);

#endif
