/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue lock: one thread of all has it; whoever comes first gets it first; misuse; new ones. */
#include "sync_tools.h"

#include "dsm/sync.h"

enum { EACH = 30, THREADS = 3 };

static byre_dsm_lock_t lock;
static int cell;

static void *add(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        EXPECT(BYRE_OK, byre_dsm_lock(&lock));
        poke(cell, peek(cell) + 1);
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    }
    return NULL;
}

static void *add_trying(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        int error;
        UNTIL((error = byre_dsm_trylock(&lock)) != BYRE_EAGAIN);
        EXPECT(BYRE_OK, error);
        poke(cell, peek(cell) + 1);
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    }
    return NULL;
}

static void one_at_a_time(byre_dsm_lock_t which, int in, int threads, void *(*fn)(void *))
{
    lock = which;
    cell = in;
    in_threads(threads, fn);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(ranks * threads * EACH, peek(cell));
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- order --------------------------------------------------------------------------------- */

/* How many have the lock or wait for it. */
static int queue_length(void)
{
    uint64_t count = 0;
    EXPECT(BYRE_OK,
           byre__sync_call(lock.id, (int)(lock.id >> 40 & 0xffff), BYRE__OP_COUNT, 0, 0, &count));
    return (int)count;
}

/* Rank 0 lets one thread after the other queue up, of each rank in turn, and then lets go: each notes its
 * turn. */
static void *queue_up(void *arg)
{
    int thread = (int)(intptr_t)arg, turn;
    EXPECT(BYRE_OK, byre_recv(PORT_GO + 1 + thread, 0, &turn, sizeof turn, NULL));
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EQUAL(turn, peek(cell));
    poke(cell, turn + 1);
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    return NULL;
}

static void *conduct(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    for (int turn = 0; turn < ranks * THREADS; turn++) {
        int rank = turn % ranks, thread = turn / ranks;
        EQUAL(turn + 1, queue_length());
        EXPECT(BYRE_OK, byre_send(at(rank, PORT_GO + 1 + thread), &turn, sizeof turn));
        UNTIL(queue_length() == turn + 2);
    }
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    return NULL;
}

static void *queue_or_conduct(void *arg)
{
    return (intptr_t)arg == THREADS ? conduct(arg) : queue_up(arg);
}

static void first_come_first_served(int home)
{
    if (me == 0) EXPECT(BYRE_OK, byre_dsm_lock_create(home, &lock));
    share(0, &lock, sizeof lock);
    cell = 4 + home;
    in_threads(me == 0 ? THREADS + 1 : THREADS, queue_or_conduct);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(ranks * THREADS, peek(cell));
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- misuse, life --------------------------------------------------------------------------- */

static void *other_thread(void *arg)
{
    (void)arg;
    EXPECT(BYRE_ERIGHT, byre_dsm_unlock(&lock));
    EXPECT(BYRE_EAGAIN, byre_dsm_trylock(&lock));
    return NULL;
}

static void misuse(void)
{
    byre_dsm_lock_t none = { 0 }, far = { (uint64_t)1 << 60 | (uint64_t)ranks << 40 };
    byre_dsm_barrier_t barrier = BYRE_DSM_BARRIER(0);
    memcpy(&lock, &barrier, sizeof lock);
    EXPECT(BYRE_EINVAL, byre_dsm_lock(&lock));
    EXPECT(BYRE_EINVAL, byre_dsm_lock(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_lock(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_trylock(&far));
    EXPECT(BYRE_EINVAL, byre_dsm_unlock(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_lock_destroy(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_lock_create(0, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_lock_create(ranks, &lock));
    EXPECT(BYRE_ERANK, byre_dsm_lock_create(-2, &lock));

    EXPECT(BYRE_OK, byre_dsm_lock_create(right(), &lock));
    EXPECT(BYRE_ERIGHT, byre_dsm_unlock(&lock));
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EXPECT(BYRE_EBUSY, byre_dsm_lock(&lock));
    EXPECT(BYRE_EBUSY, byre_dsm_trylock(&lock));
    EXPECT(BYRE_EBUSY, byre_dsm_lock_destroy(&lock));
    in_threads(1, other_thread);
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    EXPECT(BYRE_ERIGHT, byre_dsm_unlock(&lock));
}

static void create_and_destroy(void)
{
    byre_dsm_lock_t locks[200];
    for (int i = 0; i < (int)LENGTH(locks); i++) {
        EXPECT(BYRE_OK, byre_dsm_lock_create(i % 2 ? right() : BYRE_ANY, &locks[i]));
        for (int j = 0; j < i; j++) CHECK(locks[i].id != locks[j].id);
        EXPECT(BYRE_OK, byre_dsm_lock(&locks[i]));
    }
    for (int i = 0; i < (int)LENGTH(locks); i++) EXPECT(BYRE_OK, byre_dsm_unlock(&locks[i]));
    for (int i = 0; i < (int)LENGTH(locks); i++) EXPECT(BYRE_OK, byre_dsm_lock_destroy(&locks[i]));
    EXPECT(BYRE_OK, byre_dsm_lock_destroy(&locks[0])); /* there is nothing to forget */
    /* A destroyed one is as new. */
    EXPECT(BYRE_OK, byre_dsm_lock(&locks[0]));
    EXPECT(BYRE_OK, byre_dsm_unlock(&locks[0]));
    EXPECT(BYRE_OK, byre_dsm_lock_destroy(&locks[0]));
}

/* ---- handlers ------------------------------------------------------------------------------- */

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_lock(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_trylock(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_unlock(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_lock_create(0, NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_lock_destroy(NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    static byre_dsm_lock_t named = BYRE_DSM_LOCK(5);
    EXPECT(BYRE_ESTATE, byre_dsm_lock(&named));
    EXPECT(BYRE_ESTATE, byre_dsm_lock_create(0, &named));
    start_with_cells();
    one_at_a_time(named, 0, 1, add);
    one_at_a_time(BYRE_DSM_LOCK(UINT32_MAX), 1, THREADS, add);
    one_at_a_time(BYRE_DSM_LOCK(1), 2, THREADS, add_trying);
    for (int home = 0; home < ranks; home++) first_come_first_served(home);
    misuse();
    create_and_destroy();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_finalize());
    EXPECT(BYRE_ESTATE, byre_dsm_unlock(&named));
    return 0;
}
