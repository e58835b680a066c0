/* SPDX-License-Identifier: BSD-3-Clause */
#include "stage.h"

#include "recycle.h"
#include <sys/mman.h>

enum { CACHE = 64, KEEP = 256, WARM_BYTES = 65536 };

static void *create(void)
{
    void *stage = mmap(NULL, BYRE__STAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stage == MAP_FAILED) return NULL;
    (void)madvise(stage, BYRE__STAGE_BYTES, MADV_NOHUGEPAGE);
    (void)madvise(stage, BYRE__STAGE_BYTES, MADV_DONTDUMP);
    return stage;
}

static void destroy(void *stage)
{
    (void)munmap(stage, BYRE__STAGE_BYTES);
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
        (void)madvise((char *)stage + WARM_BYTES, BYRE__STAGE_BYTES - WARM_BYTES, MADV_DONTNEED);
    byre__stage_put(stage);
}

void byre__stage_fini(void)
{
    byre__recycle_fini(&stages, &own);
}
