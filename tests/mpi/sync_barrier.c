/* SPDX-License-Identifier: BSD-3-Clause */
/* Barriers of each kind, for one thread of a rank and for several: nobody leaves before all have come,
 * also when some run ahead or come late; several at once; destroyed and used again; misuse. */
#include "sync_tools.h"

enum { WHERE = 1, ROUNDS = 20, FAST_ROUNDS = 150, THREADS = 3, KINDS = 5 };

static _Atomic int entered; /* how often a thread of this rank came to a barrier */
static byre_dsm_barrier_t barrier;
static int taking_part;

static void where(const byre_am_t *am, void *arg)
{
    int count = atomic_load(&entered);
    (void)arg;
    EXPECT(BYRE_OK, byre_am_reply(am, &count, sizeof count));
}

static void *visit(void *arg)
{
    int thread = (int)(intptr_t)arg;
    for (int round = 1; round <= ROUNDS; round++) {
        if (round % (ranks * taking_part) == me * taking_part + thread) usleep(2000); /* late */
        atomic_fetch_add(&entered, 1);
        EXPECT(BYRE_OK, byre_dsm_barrier(&barrier));
        int r = (round + me) % ranks, there = -1;
        EXPECT(BYRE_OK, byre_am_request(r, WHERE, NULL, 0, &there, sizeof there, NULL));
        CHECK(there >= round * taking_part && there <= (round + 1) * taking_part);
    }
    return NULL;
}

/* Without anything in between. */
static void *hurry(void *arg)
{
    int64_t seen = 0;
    (void)arg;
    for (int round = 0; round < FAST_ROUNDS / taking_part; round++) {
        EXPECT(BYRE_OK, byre_dsm_barrier(&barrier));
        if (me == 0) seen++;
    }
    CHECK(me != 0 || seen == FAST_ROUNDS / taking_part);
    return NULL;
}

static void meet(byre_dsm_barrier_t which, int threads)
{
    barrier = which;
    taking_part = threads;
    atomic_store(&entered, 0);
    EXPECT(BYRE_OK, byre_barrier());
    in_threads(threads, visit);
    EXPECT(BYRE_OK, byre_barrier());
    in_threads(threads, hurry);
    EXPECT(BYRE_OK, byre_barrier());
}

static void of_each_kind(int threads)
{
    byre_dsm_barrier_t fresh;
    for (int kind = 0; kind < KINDS; kind++) {
        meet(BYRE_DSM_BARRIER_OF(kind, (byre_dsm_barrier_kind_t)kind, threads), threads);
        int maker = kind % ranks;
        if (me == maker)
            EXPECT(BYRE_OK,
                   byre_dsm_barrier_create((byre_dsm_barrier_kind_t)kind, threads, &fresh));
        share(maker, &fresh, sizeof fresh);
        meet(fresh, threads);
        EXPECT(BYRE_OK, byre_dsm_barrier_destroy(&fresh));
        EXPECT(BYRE_OK, byre_barrier());
        meet(fresh, threads); /* as new */
        EXPECT(BYRE_OK, byre_dsm_barrier_destroy(&fresh));
    }
}

/* Threads of a rank, each in a barrier of its own with its partners elsewhere. */
static void *apart(void *arg)
{
    byre_dsm_barrier_t mine = BYRE_DSM_BARRIER(100 + (uint32_t)(intptr_t)arg);
    for (int i = 0; i < FAST_ROUNDS; i++) EXPECT(BYRE_OK, byre_dsm_barrier(&mine));
    return NULL;
}

static void all(void)
{
    atomic_store(&entered, 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int round = 1; round <= ROUNDS; round++) {
        int there = -1;
        atomic_fetch_add(&entered, 1);
        EXPECT(BYRE_OK, byre_dsm_barrier_all());
        EXPECT(BYRE_OK, byre_am_request(right(), WHERE, NULL, 0, &there, sizeof there, NULL));
        CHECK(there == round || there == round + 1);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

static void *wait_there(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_barrier(&barrier));
    return NULL;
}

static void misuse(void)
{
    byre_dsm_barrier_t none = { 0 }, nobody = BYRE_DSM_BARRIER_OF(1, BYRE_DSM_BARRIER_TREE, 0),
                       strange = BYRE_DSM_BARRIER_OF(1, 7, 1);
    byre_dsm_lock_t lock = BYRE_DSM_LOCK(1);
    EXPECT(BYRE_EINVAL, byre_dsm_barrier(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier(&nobody));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier(&strange));
    memcpy(&none, &lock, sizeof none);
    EXPECT(BYRE_EINVAL, byre_dsm_barrier(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier_destroy(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier_destroy(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier_create(BYRE_DSM_BARRIER_TREE, 1, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_barrier_create((byre_dsm_barrier_kind_t)5, 1, &none));
    EXPECT(BYRE_ERANGE, byre_dsm_barrier_create(BYRE_DSM_BARRIER_TREE, 0, &none));
    EXPECT(BYRE_ERANGE,
           byre_dsm_barrier_create(BYRE_DSM_BARRIER_TREE, BYRE_DSM_BARRIER_THREADS_MAX + 1, &none));

    /* Somebody is in it. */
    pthread_t thread;
    barrier = BYRE_DSM_BARRIER_OF(77, BYRE_DSM_BARRIER_CENTRAL, 2);
    CHECK(pthread_create(&thread, NULL, wait_there, NULL) == 0);
    UNTIL(byre_dsm_barrier_destroy(&barrier) == BYRE_EBUSY);
    EXPECT(BYRE_OK, byre_barrier()); /* nobody has spoken to others before */
    EXPECT(BYRE_OK, byre_dsm_barrier(&barrier));
    pthread_join(thread, NULL);
    EXPECT(BYRE_OK, byre_dsm_barrier_destroy(&barrier));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_barrier(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_barrier_all());
    EXPECT(BYRE_ECONTEXT, byre_dsm_barrier_create(BYRE_DSM_BARRIER_TREE, 1, NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_barrier_destroy(NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    static byre_dsm_barrier_t named = BYRE_DSM_BARRIER(5);
    EXPECT(BYRE_ESTATE, byre_dsm_barrier(&named));
    EXPECT(BYRE_ESTATE, byre_dsm_barrier_all());
    start();
    EXPECT(BYRE_OK, byre_am_register(WHERE, where, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(WHERE + 1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    meet(named, 1);
    of_each_kind(1);
    of_each_kind(THREADS);
    in_threads(THREADS, apart);
    EXPECT(BYRE_OK, byre_barrier());
    all();
    misuse();
    EXPECT(BYRE_OK, byre_am_request(me, WHERE + 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
