/* SPDX-License-Identifier: BSD-3-Clause */
/* place_table.c - see place_table.h. Chained; grows when there are more entries than rows, never shrinks. */
#include "sched/place/place_table.h"

#include <stdlib.h>

/* FNV-1a, stirred at the end: rows are chosen by the low bits. */
uint64_t byre__place_hash(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < length; i++) hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

place_link_t *byre__place_table_find(const place_table_t *table, uint64_t hash,
                                     const place_link_t *after)
{
    place_link_t *link;

    if (table->rows == 0) return NULL;
    link = after ? after->next : table->row[hash & (table->rows - 1)];
    while (link && link->hash != hash) link = link->next;
    return link;
}

static bool grow(place_table_t *table)
{
    size_t rows = table->rows ? table->rows * 2 : 64;
    place_link_t **row = calloc(rows, sizeof(place_link_t *));

    if (!row) return false;
    for (size_t i = 0; i < table->rows; i++) {
        for (place_link_t *link = table->row[i], *next; link; link = next) {
            next = link->next;
            link->next = row[link->hash & (rows - 1)];
            row[link->hash & (rows - 1)] = link;
        }
    }
    free(table->row);
    table->row = row;
    table->rows = rows;
    return true;
}

bool byre__place_table_add(place_table_t *table, place_link_t *link, uint64_t hash)
{
    if (table->count >= table->rows && !grow(table) && table->rows == 0) return false;
    link->hash = hash;
    link->next = table->row[hash & (table->rows - 1)];
    table->row[hash & (table->rows - 1)] = link;
    table->count++;
    return true;
}

void byre__place_table_remove(place_table_t *table, place_link_t *link)
{
    place_link_t **at = &table->row[link->hash & (table->rows - 1)];

    while (*at != link) at = &(*at)->next;
    *at = link->next;
    table->count--;
}

void byre__place_table_fini(place_table_t *table, void (*destroy)(place_link_t *link))
{
    for (size_t i = 0; i < table->rows; i++) {
        for (place_link_t *link = table->row[i], *next; link; link = next) {
            next = link->next;
            destroy(link);
        }
    }
    free(table->row);
    *table = (place_table_t){ 0 };
}
