/* SPDX-License-Identifier: BSD-3-Clause */
#include "paged.h"
#include <byre_dsm.h>

int byre_dsm_contains(const void *addr, size_t bytes)
{
    return bytes > 0 && byre__is_paged(addr, bytes);
}
