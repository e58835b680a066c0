/* SPDX-License-Identifier: BSD-3-Clause */
#include "stage.h"

#include "recycle.h"
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

enum { CACHE = 64, KEEP = 192, MOST = 512, WARM_BYTES = 65536, PAGE = 4096, LINE = 64 };

static _Atomic int count;

/* Stages begin at different cache lines of their pages: all at the first one, they would drive each
 * other out of the cache. */
static void *create(void)
{
    int number = atomic_fetch_add(&count, 1);
    if (number < MOST) {
        char *at = mmap(NULL, BYRE__STAGE_BYTES + PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at != MAP_FAILED) {
            (void)madvise(at, BYRE__STAGE_BYTES + PAGE, MADV_NOHUGEPAGE);
            (void)madvise(at, BYRE__STAGE_BYTES + PAGE, MADV_DONTDUMP);
            return at + number % (PAGE / LINE) * LINE;
        }
    }
    atomic_fetch_sub(&count, 1);
    return NULL;
}

static char *page_of(void *stage)
{
    return (char *)stage - (uintptr_t)stage % PAGE;
}

static void destroy(void *stage)
{
    (void)munmap(page_of(stage), BYRE__STAGE_BYTES + PAGE);
    atomic_fetch_sub(&count, 1);
}

static byre__recycler_t stages = BYRE__RECYCLER(CACHE, KEEP, create, destroy);
static _Thread_local byre__recycled_t own;

void *byre__stage_get(void)
{
    return byre__recycle_get(&stages, &own);
}

void byre__stage_put(void *stage)
{
    byre__recycle_put(&stages, &own, stage);
}

void byre__stage_put_used(void *stage, size_t bytes)
{
    if (bytes > WARM_BYTES)
        (void)madvise(page_of(stage) + WARM_BYTES, BYRE__STAGE_BYTES + PAGE - WARM_BYTES,
                      MADV_DONTNEED);
    byre__stage_put(stage);
}

void byre__stage_fini(void)
{
    byre__recycle_fini(&stages, &own);
}
