/* SPDX-License-Identifier: BSD-3-Clause */
/* Condition variables: producers and consumers with a bounded store, each thing once; broadcast; a signal
 * that nobody waits for is gone; misuse. */
#include "sync_tools.h"

enum { THREADS = 2, EACH = 15, CAPACITY = 3, IN = 0, SUM = 1, EATEN = 2, FLAG = 3, WAITING = 4 };

static byre_dsm_lock_t lock;
static byre_dsm_condition_t not_full, not_empty, go;

static int number_of(int thread, int i)
{
    return 1 + (me * THREADS + thread) * EACH + i;
}

/* The store is a count of things and a sum of them, in cells that only the lock protects. */
static void *produce(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        EXPECT(BYRE_OK, byre_dsm_lock(&lock));
        while (peek(IN) == CAPACITY) EXPECT(BYRE_OK, byre_dsm_condition_wait(&not_full, &lock));
        CHECK(peek(IN) >= 0 && peek(IN) < CAPACITY);
        poke(IN, peek(IN) + 1);
        poke(SUM, peek(SUM) + number_of((int)(intptr_t)arg, i));
        EXPECT(BYRE_OK, byre_dsm_condition_signal(&not_empty));
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    }
    return NULL;
}

static void *consume(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        EXPECT(BYRE_OK, byre_dsm_lock(&lock));
        while (peek(IN) == 0) EXPECT(BYRE_OK, byre_dsm_condition_wait(&not_empty, &lock));
        CHECK(peek(IN) > 0 && peek(IN) <= CAPACITY);
        poke(IN, peek(IN) - 1);
        poke(EATEN, peek(EATEN) + 1);
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
        EXPECT(BYRE_OK, byre_dsm_condition_signal(&not_full)); /* without the lock does too */
    }
    return NULL;
}

static void *either(void *arg)
{
    int thread = (int)(intptr_t)arg;
    return thread < THREADS ? produce(arg) : consume(arg);
}

static void *wait_for_flag(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    poke(WAITING, peek(WAITING) + 1);
    while (peek(FLAG) == 0) EXPECT(BYRE_OK, byre_dsm_condition_wait(&go, &lock));
    poke(WAITING, peek(WAITING) - 1);
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    return NULL;
}

/* Who has raised WAITING and let go of the lock stands in the queue. */
static void *raise_flag(void *arg)
{
    (void)arg;
    UNTIL(peek(WAITING) == ranks * THREADS);
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EXPECT(BYRE_EBUSY, byre_dsm_condition_destroy(&go));
    poke(FLAG, 1);
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    EXPECT(BYRE_OK, byre_dsm_condition_broadcast(&go));
    return NULL;
}

static void *wait_or_raise(void *arg)
{
    return (intptr_t)arg == THREADS ? raise_flag(arg) : wait_for_flag(arg);
}

static void misuse(void)
{
    byre_dsm_condition_t none = { 0 }, fresh;
    byre_dsm_lock_t mine, no_lock = { 0 };
    EXPECT(BYRE_OK, byre_dsm_lock_create(right(), &mine));
    EXPECT(BYRE_OK, byre_dsm_condition_create(left(), &fresh));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_create(0, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_condition_create(ranks, &none));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_wait(NULL, &mine));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_wait(&none, &mine));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_wait(&fresh, NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_wait(&fresh, &no_lock));
    EXPECT(BYRE_ERIGHT, byre_dsm_condition_wait(&fresh, &mine));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_signal(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_condition_broadcast(&none));
    EXPECT(BYRE_OK, byre_dsm_condition_signal(&fresh)); /* nobody hears it */
    EXPECT(BYRE_OK, byre_dsm_condition_broadcast(&fresh));
    EXPECT(BYRE_OK, byre_dsm_condition_destroy(&fresh));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_condition_wait(NULL, NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_condition_signal(NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    lock = BYRE_DSM_LOCK(1);
    not_full = BYRE_DSM_CONDITION(0);
    not_empty = BYRE_DSM_CONDITION(1);
    go = BYRE_DSM_CONDITION(2);
    EXPECT(BYRE_ESTATE, byre_dsm_condition_wait(&go, &lock));
    start_with_cells();
    in_threads(2 * THREADS, either);
    EXPECT(BYRE_OK, byre_barrier());
    int64_t all = (int64_t)ranks * THREADS * EACH;
    EQUAL(0, peek(IN));
    EQUAL(all, peek(EATEN));
    EQUAL(all * (all + 1) / 2, peek(SUM));
    EXPECT(BYRE_OK, byre_barrier());
    in_threads(me == 0 ? THREADS + 1 : THREADS, wait_or_raise);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(0, peek(WAITING));
    misuse();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
