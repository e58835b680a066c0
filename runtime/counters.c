/* SPDX-License-Identifier: BSD-3-Clause */
#include "counters.h"

#include <string.h>

byre__counters_t byre__counters;

static const struct {
    byre__counter_desc_t desc;
    _Atomic uint64_t *value;
} table[] = {
#define BYRE__X(name, meaning) { { #name, meaning }, &byre__counters.name },
    BYRE_COUNTERS(BYRE__X)
#undef BYRE__X
};
enum { COUNT = sizeof table / sizeof table[0] };

static byre__counter_desc_t descriptions[COUNT];

const byre__counter_desc_t *byre__counter_table(size_t *count_out)
{
    for (int i = 0; i < COUNT; i++) descriptions[i] = table[i].desc;
    *count_out = COUNT;
    return descriptions;
}

void byre__counters_reset(void)
{
    for (int i = 0; i < COUNT; i++) atomic_store(table[i].value, 0);
}

_Atomic uint64_t *byre__counter_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(table[i].desc.name, name) == 0) return table[i].value;
    return NULL;
}
