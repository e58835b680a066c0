/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of messages, tables and arenas. A message of a million objects touches some 50 MB for the first time, and a fault for
 * each 4 KiB of them costs as much as all the rest. So big pieces ask for huge pages, and what is not that big is
 * kept for the next message, which is often one like the last: no more than KEPT_BYTES in a process, what was
 * kept first goes first. Pieces come in few sizes (tables and chunks grow by powers of two), and only the
 * very size is found again.
 */
#include "pages.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { KEPT_BYTES = 32 << 20, KEPT = 32 };

struct kept {
    void *pages;
    size_t bytes, dirty;
};

static struct {
    pthread_mutex_t lock;   /* guards what follows. A leaf */
    struct kept kept[KEPT]; /* the oldest first */
    unsigned count;
    size_t bytes;
} cache = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *map(size_t bytes)
{
    if (bytes < BYRE__RPC_HUGE) return calloc(1, bytes);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return NULL;
    (void)madvise(pages, bytes, MADV_HUGEPAGE); /* a hint */
    return pages;
}

static void unmap(void *pages, size_t bytes)
{
    if (bytes < BYRE__RPC_HUGE)
        free(pages);
    else
        (void)munmap(pages, bytes);
}

/* With the lock. */
static struct kept remove_at(unsigned at)
{
    struct kept kept = cache.kept[at];
    cache.count--;
    cache.bytes -= kept.bytes;
    memmove(&cache.kept[at], &cache.kept[at + 1], (cache.count - at) * sizeof kept);
    return kept;
}

/* The address sanitizer shall see what is used after it was freed. */
static bool may_keep(size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    (void)bytes;
    return false;
#else
    return bytes >= BYRE__RPC_KEPT_FROM && bytes <= KEPT_BYTES / 2;
#endif
}

static struct kept take_kept(size_t bytes)
{
    struct kept found = { 0 };
    if (!may_keep(bytes)) return found;
    pthread_mutex_lock(&cache.lock);
    for (unsigned i = cache.count; i-- > 0 && found.pages == NULL;)
        if (cache.kept[i].bytes == bytes) found = remove_at(i);
    pthread_mutex_unlock(&cache.lock);
    return found;
}

void *byre__rpc_pages_alloc(size_t bytes)
{
    struct kept kept = take_kept(bytes);
    if (kept.pages == NULL) return map(bytes);
    memset(kept.pages, 0, kept.dirty);
    return kept.pages;
}

void *byre__rpc_pages_alloc_dirty(size_t bytes)
{
    struct kept kept = take_kept(bytes);
    if (kept.pages != NULL) return kept.pages;
    return bytes < BYRE__RPC_HUGE ? malloc(bytes) : map(bytes);
}

void byre__rpc_pages_free(void *pages, size_t bytes, size_t dirty)
{
    if (!may_keep(bytes)) {
        unmap(pages, bytes);
        return;
    }
    struct kept old[KEPT];
    unsigned count = 0;
    pthread_mutex_lock(&cache.lock);
    while (cache.count == KEPT || cache.bytes + bytes > KEPT_BYTES) old[count++] = remove_at(0);
    cache.kept[cache.count++] = (struct kept){ pages, bytes, dirty };
    cache.bytes += bytes;
    pthread_mutex_unlock(&cache.lock);
    while (count-- > 0) unmap(old[count].pages, old[count].bytes);
}

void byre__rpc_pages_stop(void)
{
    pthread_mutex_lock(&cache.lock);
    while (cache.count > 0) {
        struct kept kept = remove_at(0);
        unmap(kept.pages, kept.bytes);
    }
    pthread_mutex_unlock(&cache.lock);
}
