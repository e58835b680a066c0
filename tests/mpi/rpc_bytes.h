/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays to a server, from it, and both. */
#ifndef RPC_BYTES_H
#define RPC_BYTES_H

#include "rpc_tools.h"

static uint64_t do_sum(uint64_t bytes, uint64_t seed, const unsigned char *data)
{
    return filled(data, bytes, seed) ? bytes : UINT64_MAX;
}
static uint64_t do_make(uint64_t bytes, uint64_t seed, unsigned char *data)
{
    fill(data, bytes, seed);
    return bytes;
}
static uint64_t do_flip(uint64_t bytes, uint64_t seed, unsigned char *data)
{
    if (!filled(data, bytes, seed)) return UINT64_MAX;
    fill(data, bytes, seed + 1);
    return bytes;
}
static const struct procs bytes_procs = { .sum = do_sum, .make = do_make, .flip = do_flip };

static void all_ways(uint64_t bytes, unsigned char *data)
{
    uint64_t seed = mix3((uint64_t)me, bytes, 3);
    fill(data, bytes, seed);
    EQUAL(bytes, call_bytes(SUM, bytes, seed, data));
    OUTCOME(BYRE_OK, 1);
    CHECK(filled(data, bytes, seed));
    EQUAL(bytes, call_bytes(MAKE, bytes, seed + 7, data));
    OUTCOME(BYRE_OK, 1);
    CHECK(filled(data, bytes, seed + 7));
    EQUAL(bytes, call_bytes(FLIP, bytes, seed + 7, data));
    OUTCOME(BYRE_OK, 1);
    CHECK(filled(data, bytes, seed + 8));
}

#endif
