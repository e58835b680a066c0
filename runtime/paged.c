/* SPDX-License-Identifier: BSD-3-Clause */
#include "paged.h"

#include <stdlib.h>
#include <string.h>

uintptr_t byre__paged_start, byre__paged_end;

void *byre__paged_copy(const void *buf, size_t bytes)
{
    void *copy = malloc(bytes > 0 ? bytes : 1);
    if (copy != NULL && bytes > 0) memcpy(copy, buf, bytes);
    return copy;
}
