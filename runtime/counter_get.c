/* SPDX-License-Identifier: BSD-3-Clause */
/* The public side of the counters, apart so that a program which only lists them needs no transport. */
#include "counters.h"

#include <byre_runtime.h>

int byre_counter_get(const char *name, uint64_t *value_out)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (name == NULL || value_out == NULL) return BYRE_EINVAL;
    const _Atomic uint64_t *value = byre__counter_find(name);
    if (value == NULL) return BYRE_ENOTFOUND;
    *value_out = atomic_load_explicit(value, memory_order_relaxed);
    return BYRE_OK;
}
