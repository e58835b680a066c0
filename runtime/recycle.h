/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recycled objects of one kind: each thread keeps some for itself, so that the hot path costs
 * neither malloc nor a lock; a thread that ends gives its own to the shared list.
 *
 * An object's first member must be a pointer that the recycler may use while the object is free.
 */
#ifndef BYRE__RECYCLE_H
#define BYRE__RECYCLE_H

#include <pthread.h>
#include <stddef.h>

typedef struct byre__recycler {
    int cache;             /* how many a thread keeps */
    int keep;              /* how many the shared list keeps */
    void *(*create)(void); /* NULL: no memory */
    void (*destroy)(void *object);
    pthread_mutex_t lock; /* guards free and count */
    void *free;
    int count;
} byre__recycler_t;

#define BYRE__RECYCLER(cache_size, keep_size, create_fn, destroy_fn)       \
    {                                                                      \
        .cache = (cache_size), .keep = (keep_size), .create = (create_fn), \
        .destroy = (destroy_fn), .lock = PTHREAD_MUTEX_INITIALIZER         \
    }

/* A thread's own: one thread-local variable for each recycler. */
typedef struct byre__recycled {
    struct byre__recycled *next; /* lists of this thread, for its end */
    byre__recycler_t *home;
    void *free;
    int count;
} byre__recycled_t;

void *byre__recycle_get_slowly(byre__recycler_t *home, byre__recycled_t *own);
void byre__recycle_put_slowly(byre__recycler_t *home, void *object);
/* Give back what the calling thread and the shared list hold. */
void byre__recycle_fini(byre__recycler_t *home, byre__recycled_t *own);

static inline void *byre__recycle_get(byre__recycler_t *home, byre__recycled_t *own)
{
    void *object = own->free;
    if (__builtin_expect(object == NULL, 0)) return byre__recycle_get_slowly(home, own);
    own->free = *(void **)object;
    own->count--;
    return object;
}

static inline void byre__recycle_put(byre__recycler_t *home, byre__recycled_t *own, void *object)
{
    if (__builtin_expect(own->home == NULL || own->count >= home->cache, 0)) {
        byre__recycle_put_slowly(home, object);
        return;
    }
    *(void **)object = own->free;
    own->free = object;
    own->count++;
}

#endif
