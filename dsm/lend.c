/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory for the other parts (lent.h): blocks of the heap, for good. */
#include "heap.h"

#include <byre_dsm.h>
#include <byre_errors.h>
#include <stdint.h>
#include <string.h>

enum { LINE = 64 };

int byre__dsm_lend(size_t bytes, void **memory_out)
{
    char *block = byre_dsm_malloc(bytes + LINE);
    if (block == NULL) return BYRE_ENOMEM;
    block += (LINE - (uintptr_t)block % LINE) % LINE;
    memset(block, 0, bytes);
    *memory_out = block;
    return BYRE_OK;
}
