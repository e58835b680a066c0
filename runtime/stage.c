/* SPDX-License-Identifier: BSD-3-Clause */
#include "stage.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

enum {
    CACHE = 256,
    KEEP = 256,
    MOST = 512,
    WARM_BYTES = 65536,
    PAGE = 4096,
    LINE = 64,
    SPREAD = (PAGE - BYRE__STAGE_HEAD - 4 * LINE) / LINE, /* places to begin at */
    MAP_EXTRA = 2 * PAGE
};

static _Atomic int count;

/* Stages begin at different cache lines of their pages: all at the first one, they would drive each
 * other out of the cache. Head and small payload lie on one page. */
static void *create(void)
{
    int number = atomic_fetch_add(&count, 1);
    if (number < MOST) {
        char *at = mmap(NULL, BYRE__STAGE_BYTES + MAP_EXTRA, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at != MAP_FAILED) {
            (void)madvise(at, BYRE__STAGE_BYTES + MAP_EXTRA, MADV_NOHUGEPAGE);
            (void)madvise(at, BYRE__STAGE_BYTES + MAP_EXTRA, MADV_DONTDUMP);
            return at + number % SPREAD * LINE;
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
    (void)munmap(page_of(stage), BYRE__STAGE_BYTES + MAP_EXTRA);
    atomic_fetch_sub(&count, 1);
}

byre__recycler_t byre__stages = BYRE__RECYCLER(CACHE, KEEP, create, destroy);
_Thread_local byre__recycled_t byre__own_stages __attribute__((tls_model("initial-exec")));

void byre__stage_put_used(byre_request_t stage, size_t bytes)
{
    if (bytes > WARM_BYTES)
        (void)madvise(page_of(stage) + WARM_BYTES, BYRE__STAGE_BYTES + MAP_EXTRA - WARM_BYTES,
                      MADV_DONTNEED);
    byre__stage_put(stage);
}

void byre__stage_fini(void)
{
    byre__recycle_fini(&byre__stages, &byre__own_stages);
}
