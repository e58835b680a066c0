/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader-writer lock: readers together, a writer alone, nobody passes who came before; misuse. */
#include "sync_tools.h"

enum { EACH = 20, THREADS = 3 };

static byre_dsm_rwlock_t lock;
static byre_dsm_counter_t inside[2], sum; /* readers, writers */

static int64_t add(byre_dsm_counter_t *counter, int64_t delta)
{
    int64_t old = -1;
    EXPECT(BYRE_OK, byre_dsm_counter_add(counter, delta, &old));
    return old;
}

static void as_reader(bool trying)
{
    int64_t writers = -1, before = peek(0);
    if (trying) {
        int error;
        UNTIL((error = byre_dsm_rwlock_tryread(&lock)) != BYRE_EAGAIN);
        EXPECT(BYRE_OK, error);
    } else {
        EXPECT(BYRE_OK, byre_dsm_rwlock_read(&lock));
    }
    (void)add(&inside[0], 1);
    EXPECT(BYRE_OK, byre_dsm_counter_load(&inside[1], &writers));
    EQUAL(0, writers);
    int64_t value = peek(0);
    CHECK(value >= before);
    EQUAL(value, peek(1)); /* a writer changes both */
    (void)add(&inside[0], -1);
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
}

static void as_writer(bool trying)
{
    int64_t readers = -1;
    if (trying) {
        int error;
        UNTIL((error = byre_dsm_rwlock_trywrite(&lock)) != BYRE_EAGAIN);
        EXPECT(BYRE_OK, error);
    } else {
        EXPECT(BYRE_OK, byre_dsm_rwlock_write(&lock));
    }
    EQUAL(0, add(&inside[1], 1));
    EXPECT(BYRE_OK, byre_dsm_counter_load(&inside[0], &readers));
    EQUAL(0, readers);
    int64_t value = peek(0) + 1;
    poke(0, value);
    poke(1, value);
    EQUAL(1, add(&inside[1], -1));
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    (void)add(&sum, 1);
}

static void *mixed(void *arg)
{
    int thread = (int)(intptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        uint64_t dice = mix3((uint64_t)me, (uint64_t)thread, (uint64_t)i);
        if (dice % 3 == 0)
            as_writer(dice % 2);
        else
            as_reader(dice % 2);
    }
    return NULL;
}

/* ---- order ---------------------------------------------------------------------------------- */

/* While this rank reads, another reader comes in; a writer waits, and no reader passes it. */
static void *writer(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_rwlock_write(&lock));
    poke(3, peek(3) + 1);
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    return NULL;
}

static void *reader(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_rwlock_read(&lock));
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    return NULL;
}

static void *trying(void *arg)
{
    int error = byre_dsm_rwlock_tryread(&lock);
    if (error == BYRE_OK) EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    return (void *)(intptr_t)(error == BYRE_EAGAIN ? 0 : 1 + (arg != NULL));
}

static bool another_may_read(void)
{
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, trying, NULL) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    return result != NULL;
}

static void no_passing(void)
{
    pthread_t write, read;
    EXPECT(BYRE_OK, byre_dsm_rwlock_create(right(), &lock));
    poke(3, 0);
    EXPECT(BYRE_OK, byre_dsm_rwlock_read(&lock));
    in_threads(1, reader);
    CHECK(another_may_read());
    CHECK(pthread_create(&write, NULL, writer, NULL) == 0);
    UNTIL(!another_may_read()); /* the writer waits by now */
    CHECK(pthread_create(&read, NULL, reader, NULL) == 0);
    EQUAL(0, peek(3));
    EXPECT(BYRE_EBUSY, byre_dsm_rwlock_destroy(&lock));
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    pthread_join(write, NULL);
    pthread_join(read, NULL);
    EQUAL(1, peek(3));
    UNTIL(byre_dsm_rwlock_destroy(&lock) == BYRE_OK);
}

/* ---- misuse --------------------------------------------------------------------------------- */

static void *not_mine(void *arg)
{
    (void)arg;
    EXPECT(BYRE_ERIGHT, byre_dsm_rwlock_unlock(&lock));
    EXPECT(BYRE_EAGAIN, byre_dsm_rwlock_trywrite(&lock));
    return NULL;
}

static void misuse(void)
{
    byre_dsm_rwlock_t none = { 0 };
    EXPECT(BYRE_EINVAL, byre_dsm_rwlock_read(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_rwlock_write(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_rwlock_unlock(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_rwlock_create(0, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_rwlock_create(ranks, &none));
    EXPECT(BYRE_OK, byre_dsm_rwlock_create(right(), &lock));
    for (int write = 0; write < 2; write++) {
        EXPECT(BYRE_ERIGHT, byre_dsm_rwlock_unlock(&lock));
        EXPECT(BYRE_OK, write ? byre_dsm_rwlock_write(&lock) : byre_dsm_rwlock_read(&lock));
        EXPECT(BYRE_EBUSY, byre_dsm_rwlock_read(&lock));
        EXPECT(BYRE_EBUSY, byre_dsm_rwlock_trywrite(&lock));
        in_threads(1, not_mine);
        EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&lock));
    }
    EXPECT(BYRE_OK, byre_dsm_rwlock_destroy(&lock));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_rwlock_read(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_rwlock_trywrite(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_rwlock_unlock(NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    lock = BYRE_DSM_RWLOCK(3);
    EXPECT(BYRE_ESTATE, byre_dsm_rwlock_read(&lock));
    inside[0] = BYRE_DSM_COUNTER(0);
    inside[1] = BYRE_DSM_COUNTER(1);
    sum = BYRE_DSM_COUNTER(2);
    start_with_cells();
    in_threads(THREADS, mixed);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(add(&sum, 0), peek(0));
    EXPECT(BYRE_OK, byre_barrier());
    for (int r = 0; r < ranks; r++) {
        if (r == me) no_passing();
        EXPECT(BYRE_OK, byre_barrier());
    }
    misuse();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
