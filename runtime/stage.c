/* SPDX-License-Identifier: BSD-3-Clause */
#include "stage.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>

enum { CACHE = 64, KEEP = 256, WARM_BYTES = 65536 };

/* A free stage holds the link to the next in its first bytes. Each thread keeps some. */
struct stage {
    struct stage *next;
};

static struct {
    pthread_mutex_t lock;
    struct stage *free;
    int count;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct {
    struct stage *free;
    int count;
} own __attribute__((tls_model("initial-exec")));

static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void release(struct stage *stage)
{
    pthread_mutex_lock(&shared.lock);
    bool keep = shared.count < KEEP;
    if (keep) {
        stage->next = shared.free;
        shared.free = stage;
        shared.count++;
    }
    pthread_mutex_unlock(&shared.lock);
    if (!keep) munmap(stage, BYRE__STAGE_BYTES);
}

static void release_own(void *unused)
{
    (void)unused;
    while (own.free != NULL) {
        struct stage *stage = own.free;
        own.free = stage->next;
        release(stage);
    }
    own.count = 0;
}

static void make_key(void)
{
    (void)pthread_key_create(&at_exit, release_own);
}

static void *get_slowly(void)
{
    pthread_once(&once, make_key);
    (void)pthread_setspecific(at_exit, &own); /* so that this thread's stages outlive it */
    pthread_mutex_lock(&shared.lock);
    struct stage *stage = shared.free;
    if (stage != NULL) shared.free = stage->next, shared.count--;
    pthread_mutex_unlock(&shared.lock);
    if (stage != NULL) return stage;
    void *fresh = mmap(NULL, BYRE__STAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fresh == MAP_FAILED) return NULL;
    (void)madvise(fresh, BYRE__STAGE_BYTES, MADV_NOHUGEPAGE);
    (void)madvise(fresh, BYRE__STAGE_BYTES, MADV_DONTDUMP);
    return fresh;
}

void *byre__stage_get(void)
{
    struct stage *stage = own.free;
    if (__builtin_expect(stage == NULL, 0)) return get_slowly();
    own.free = stage->next;
    own.count--;
    return stage;
}

void byre__stage_put(void *stage)
{
    struct stage *mine = stage;
    if (__builtin_expect(own.count >= CACHE, 0)) {
        release(mine);
        return;
    }
    mine->next = own.free;
    own.free = mine;
    own.count++;
}

void byre__stage_put_used(void *stage, size_t bytes)
{
    if (bytes > WARM_BYTES)
        (void)madvise((char *)stage + WARM_BYTES, BYRE__STAGE_BYTES - WARM_BYTES, MADV_DONTNEED);
    byre__stage_put(stage);
}

void byre__stage_fini(void)
{
    release_own(NULL);
    pthread_mutex_lock(&shared.lock);
    while (shared.free != NULL) {
        struct stage *stage = shared.free;
        shared.free = stage->next;
        munmap(stage, BYRE__STAGE_BYTES);
    }
    shared.count = 0;
    pthread_mutex_unlock(&shared.lock);
}
