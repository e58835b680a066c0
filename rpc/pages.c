/* SPDX-License-Identifier: BSD-3-Clause */
/* Zeroed memory, with huge pages if there are any: see pages.h. */
#include "pages.h"

#include <stdlib.h>
#include <sys/mman.h>

void byre__rpc_pages_huge(void *memory, size_t bytes)
{
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
}

void *byre__rpc_pages_alloc(size_t bytes)
{
    if (bytes < BYRE__RPC_HUGE) return calloc(1, bytes);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    byre__rpc_pages_huge(pages, bytes);
    return pages;
}

void byre__rpc_pages_free(void *pages, size_t bytes)
{
    if (bytes < BYRE__RPC_HUGE)
        free(pages);
    else
        (void)munmap(pages, bytes);
}
