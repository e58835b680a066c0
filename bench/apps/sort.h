/* SPDX-License-Identifier: BSD-3-Clause */
/* Radix sort, the least significant digit first, eight bits at a time. In each of the four passes
 *
 *   1. every rank counts its keys by digit and puts them in the order of this digit: its run;
 *   2. all tell all their counts, so that everybody knows where each piece of each run belongs:
 *      by digit, then by rank;
 *   3. every rank takes the pieces that belong to its own part of the keys. */
#ifndef BYRE_APPS_SORT_H
#define BYRE_APPS_SORT_H

#include "apps.h"

#define SORT_BITS 8
#define SORT_DIGITS (1 << SORT_BITS)
#define SORT_PASSES (32 / SORT_BITS)

typedef unsigned sort_counts[SORT_DIGITS];

uint32_t sort_key(size_t i);
/* Step 1: keys to run, by digit number `pass`. */
void sort_make_run(const uint32_t *keys, uint32_t *run, size_t n, int pass, sort_counts counts_out);
/* Step 3 works on pieces: the keys `begin` ... `begin + length` of a rank's run belong to `place` of all
 * keys. Calls `take` for those pieces of all ranks that reach into `part`, cut to it. */
typedef void (*sort_take_fn)(void *arg, int rank, size_t begin, size_t length, size_t place);
void sort_pieces(const sort_counts *counts, int ranks, struct span part, sort_take_fn take,
                 void *arg);

#endif
