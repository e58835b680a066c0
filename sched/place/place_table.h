/* SPDX-License-Identifier: BSD-3-Clause */
/* place_table.h - a hash table of what has a place_link_t as its first member. Owns nothing but its rows. */
#ifndef BYRE__SCHED_PLACE_TABLE_H
#define BYRE__SCHED_PLACE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct place_link {
    struct place_link *next;
    uint64_t hash;
} place_link_t;

typedef struct place_table {
    place_link_t **row;
    size_t rows, count; /* rows: a power of two, or 0 */
} place_table_t;

uint64_t byre__place_hash(const void *bytes, size_t length);
/* The first with this hash from `after' (NULL: from the start) on; the caller compares and asks again. */
place_link_t *byre__place_table_find(const place_table_t *table, uint64_t hash,
                                     const place_link_t *after);
/* false: out of memory. */
bool byre__place_table_add(place_table_t *table, place_link_t *link, uint64_t hash);
void byre__place_table_remove(place_table_t *table, place_link_t *link);
void byre__place_table_fini(place_table_t *table, void (*destroy)(place_link_t *link));

#endif
