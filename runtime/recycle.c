/* SPDX-License-Identifier: BSD-3-Clause */
#include "recycle.h"

#include <stdbool.h>

static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local byre__recycled_t *lists; /* of this thread */

static void give_back(byre__recycled_t *own)
{
    while (own->free != NULL) {
        void *object = own->free;
        own->free = *(void **)object;
        byre__recycle_put_slowly(own->home, object);
    }
    own->count = 0;
}

static void thread_ends(void *first)
{
    for (byre__recycled_t *own = first; own != NULL; own = own->next) {
        give_back(own);
        own->home = NULL;
    }
    lists = NULL;
}

static void make_key(void)
{
    (void)pthread_key_create(&at_exit, thread_ends);
}

/* The thread's first time with this recycler: see to it that its objects outlive it. */
static void enlist(byre__recycler_t *home, byre__recycled_t *own)
{
    pthread_once(&once, make_key);
    own->home = home;
    own->next = lists;
    lists = own;
    (void)pthread_setspecific(at_exit, lists);
}

void *byre__recycle_get_slowly(byre__recycler_t *home, byre__recycled_t *own)
{
    if (own->home == NULL) enlist(home, own);
    pthread_mutex_lock(&home->lock);
    void *object = home->free;
    if (object != NULL) {
        home->free = *(void **)object;
        home->count--;
    }
    pthread_mutex_unlock(&home->lock);
    return object != NULL ? object : home->create();
}

void byre__recycle_put_slowly(byre__recycler_t *home, void *object)
{
    pthread_mutex_lock(&home->lock);
    bool keep = home->count < home->keep;
    if (keep) {
        *(void **)object = home->free;
        home->free = object;
        home->count++;
    }
    pthread_mutex_unlock(&home->lock);
    if (!keep) home->destroy(object);
}

void byre__recycle_fini(byre__recycler_t *home, byre__recycled_t *own)
{
    if (own->home != NULL) give_back(own);
    pthread_mutex_lock(&home->lock);
    while (home->free != NULL) {
        void *object = home->free;
        home->free = *(void **)object;
        home->destroy(object);
    }
    home->count = 0;
    pthread_mutex_unlock(&home->lock);
}
