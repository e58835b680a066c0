/* SPDX-License-Identifier: BSD-3-Clause */
/* Which requests have copies. As long as none has, a completion call costs one look at a counter. */
#include "pmpi.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

enum { BUCKETS = 256 };

static struct {
    pthread_mutex_t lock; /* guards buckets; a leaf */
    byre__pmpi_entry_t *buckets[BUCKETS];
    _Atomic size_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static byre__pmpi_entry_t **bucket_of(MPI_Request request)
{
    uintptr_t handle = (uintptr_t)request;
    return &table.buckets[(handle >> 6 ^ handle >> 14) % BUCKETS];
}

void byre__pmpi_put(byre__pmpi_entry_t *entry)
{
    byre__pmpi_entry_t **bucket = bucket_of(entry->request);
    pthread_mutex_lock(&table.lock);
    atomic_fetch_add(&table.count, 1);
    entry->next = *bucket;
    *bucket = entry;
    pthread_mutex_unlock(&table.lock);
}

bool byre__pmpi_none(void)
{
    return __builtin_expect(atomic_load(&table.count) == 0, 1);
}

byre__pmpi_entry_t *byre__pmpi_take(MPI_Request request)
{
    if (byre__pmpi_none()) return NULL;
    pthread_mutex_lock(&table.lock);
    byre__pmpi_entry_t **at = bucket_of(request);
    while (*at != NULL && (*at)->request != request) at = &(*at)->next;
    byre__pmpi_entry_t *entry = *at;
    if (entry != NULL) *at = entry->next;
    pthread_mutex_unlock(&table.lock);
    if (entry != NULL) atomic_fetch_sub(&table.count, 1);
    return entry;
}

void byre__pmpi_settle(byre__pmpi_entry_t *entry, int code, const MPI_Status *status)
{
    if (entry == NULL) return;
    if (entry->receives && code == MPI_SUCCESS)
        byre__pmpi_return(&entry->buffer, byre__pmpi_received(status));
    else
        byre__pmpi_drop(&entry->buffer);
    free(entry);
}
