/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed in the middle of synchronisation. argv[1]: how; argv[2]: the victim. */
#include "survive.h"
#include <pthread.h>

enum { STORM_THREADS = 3, STORM = 200 };

/* Home: rank 0, who lives. */
static byre_dsm_lock_t lock;
static byre_dsm_rwlock_t rwlock;
static byre_dsm_counter_t counter;

static void wait_for_all(void)
{
    for (int i = 1; i < ranks; i++) EXPECT(BYRE_OK, byre_recv(READY_PORT, BYRE_ANY, NULL, 0, NULL));
}

/* A home may tell of the death before this rank hears of it. */
static void known_in_time(void)
{
    UNTIL(byre_peer_failed(victim));
    found_dead_in_time();
}

/* Others of the same home are not concerned. */
static void others_go_on(void)
{
    byre_dsm_lock_t other = BYRE_DSM_LOCK(77 * ranks);
    for (int i = 0; i < 20; i++) {
        EXPECT(BYRE_OK, byre_dsm_lock(&other));
        EXPECT(BYRE_OK, byre_dsm_counter_add(&counter, 1, NULL));
        EXPECT(BYRE_OK, byre_dsm_unlock(&other));
    }
}

/* It had the lock. Who destroys a lost lock can use it again. */
static void holder(void)
{
    if (me == victim) EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_dsm_lock(&lock));
    known_in_time();
    EXPECT(BYRE_EPEER, byre_dsm_lock(&lock));
    EXPECT(BYRE_EPEER, byre_dsm_trylock(&lock));
    EXPECT(BYRE_ERIGHT, byre_dsm_unlock(&lock));
    others_go_on();
    meet_the_living();
    if (me == 0) EXPECT(BYRE_OK, byre_dsm_lock_destroy(&lock));
    meet_the_living();
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
}

static void writer(void)
{
    if (me == victim) EXPECT(BYRE_OK, byre_dsm_rwlock_write(&rwlock));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    EXPECT(BYRE_EPEER, me % 2 ? byre_dsm_rwlock_read(&rwlock) : byre_dsm_rwlock_write(&rwlock));
    known_in_time();
    EXPECT(BYRE_EPEER, byre_dsm_rwlock_read(&rwlock));
    EXPECT(BYRE_EPEER, byre_dsm_rwlock_trywrite(&rwlock));
    others_go_on();
}

/* A dead reader is only out of the way. */
static void reader(void)
{
    if (me == victim) EXPECT(BYRE_OK, byre_dsm_rwlock_read(&rwlock));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    EXPECT(BYRE_OK, byre_dsm_rwlock_write(&rwlock));
    UNTIL(byre_peer_failed(victim));
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&rwlock));
    EXPECT(BYRE_OK, byre_dsm_rwlock_read(&rwlock));
    EXPECT(BYRE_OK, byre_dsm_rwlock_unlock(&rwlock));
}

static void *storm(void *arg)
{
    (void)arg;
    for (int i = 0; i < STORM || me == victim; i++) {
        int error = byre_dsm_lock(&lock);
        if (error == BYRE_EPEER) return NULL; /* it had the lock when it died */
        EXPECT(BYRE_OK, error);
        EXPECT(BYRE_OK, byre_dsm_counter_add(&counter, 1, NULL));
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    }
    return NULL;
}

static void *wait_for_ever(void *arg)
{
    (void)arg;
    (void)byre_dsm_lock(&lock);
    failed(__FILE__, __LINE__, "the victim has the lock");
}

/* It stood in the queue, before others: those get the lock. Then it dies in the middle of handing over, when
 * nobody can say who has it: either they go on or all of them hear that it is lost. */
static void waiter(void)
{
    pthread_t threads[STORM_THREADS];
    if (me == 0) EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) {
        CHECK(pthread_create(&threads[0], NULL, wait_for_ever, NULL) == 0);
        usleep(50000); /* it stands in the queue, most likely */
    }
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    if (me == 0) {
        UNTIL(byre_peer_failed(victim));
        EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
    }
    EXPECT(BYRE_OK, byre_dsm_lock(&lock));
    known_in_time();
    EXPECT(BYRE_OK, byre_dsm_unlock(&lock));
}

static void in_a_storm(void)
{
    pthread_t threads[STORM_THREADS];
    for (int i = 0; i < STORM_THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, storm, NULL) == 0);
    if (me == victim) {
        wait_for_all();
        usleep(20000);
        die();
    }
    about_to_wait();
    for (int i = 0; i < STORM_THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    UNTIL(byre_peer_failed(victim));
}

/* It is the home of everything. */
static void home(void)
{
    byre_dsm_lock_t theirs = BYRE_DSM_LOCK(victim), second = BYRE_DSM_LOCK(victim + ranks);
    byre_dsm_semaphore_t semaphore = BYRE_DSM_SEMAPHORE(victim);
    byre_dsm_event_t event = BYRE_DSM_EVENT(victim);
    byre_dsm_counter_t number = BYRE_DSM_COUNTER(victim);
    if (me == 0) EXPECT(BYRE_OK, byre_dsm_lock(&second));
    if (me == victim) EXPECT(BYRE_OK, byre_dsm_lock(&theirs));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    if (me % 3 == 0)
        EXPECT(BYRE_EPEER, byre_dsm_lock(&theirs));
    else if (me % 3 == 1)
        EXPECT(BYRE_EPEER, byre_dsm_semaphore_wait(&semaphore));
    else
        EXPECT(BYRE_EPEER, byre_dsm_event_wait(&event));
    known_in_time();
    EXPECT(BYRE_EPEER, byre_dsm_lock(&theirs));
    EXPECT(BYRE_EPEER, byre_dsm_counter_add(&number, 1, NULL));
    EXPECT(BYRE_EPEER, byre_dsm_event_test(&event));
    if (me == 0) EXPECT(BYRE_EPEER, byre_dsm_unlock(&second));
    EXPECT(BYRE_ERIGHT, byre_dsm_unlock(&second));
    others_go_on();
}

static void *at_barrier(void *arg)
{
    byre_dsm_barrier_t there =
        BYRE_DSM_BARRIER_OF(1, (byre_dsm_barrier_kind_t)(1 + (intptr_t)arg), 1);
    EXPECT(BYRE_EPEER, byre_dsm_barrier(&there));
    known_in_time();
    EXPECT(BYRE_EPEER, byre_dsm_barrier(&there));
    return NULL;
}

static void barrier(void)
{
    pthread_t threads[4];
    EXPECT(BYRE_OK, byre_dsm_barrier_all());
    if (me == victim) die_when_all_wait();
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, at_barrier, (void *)(intptr_t)i) == 0);
    about_to_wait();
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    EXPECT(BYRE_EPEER, byre_dsm_barrier_all());
}

/* The home of a condition variable dies: the lock is held again. Then the lock's. */
static void condition(void)
{
    byre_dsm_condition_t theirs = BYRE_DSM_CONDITION(victim);
    byre_dsm_lock_t mine = BYRE_DSM_LOCK(me + ranks);
    if (me == victim) die_when_all_wait();
    EXPECT(BYRE_OK, byre_dsm_lock(&mine));
    about_to_wait();
    EXPECT(BYRE_EPEER, byre_dsm_condition_wait(&theirs, &mine));
    known_in_time();
    EXPECT(BYRE_EPEER, byre_dsm_condition_signal(&theirs));
    EXPECT(BYRE_OK, byre_dsm_unlock(&mine));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fn)(void);
    } ways[] = { { "holder", holder },   { "writer", writer },      { "reader", reader },
                 { "waiter", waiter },   { "storm", in_a_storm },   { "home", home },
                 { "barrier", barrier }, { "condition", condition } };
    const char *how = argc > 1 ? argv[1] : "holder";
    begin(argc - 1, argv + 1);
    lock = BYRE_DSM_LOCK(0);
    rwlock = BYRE_DSM_RWLOCK(0);
    counter = BYRE_DSM_COUNTER(0);
    for (size_t i = 0; i < LENGTH(ways); i++)
        if (strcmp(ways[i].name, how) == 0) {
            ways[i].fn();
            return go_on_and_leave();
        }
    failed(__FILE__, __LINE__, "no such way: %s", how);
}
