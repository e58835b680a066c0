/* SPDX-License-Identifier: BSD-3-Clause */
/* Events: all who wait go on when it happens, and who comes later does not wait, until it is reset. */
#include "sync_tools.h"

enum { THREADS = 3, ROUNDS = 10 };

static byre_dsm_event_t events[2]; /* in turn: one is set, the other is reset meanwhile */

static void *wait_each(void *arg)
{
    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        EXPECT(BYRE_OK, byre_dsm_event_wait(&events[round % 2]));
        EXPECT(BYRE_OK, byre_dsm_event_test(&events[round % 2]));
        EXPECT(BYRE_OK, byre_dsm_event_wait(&events[round % 2]));
        EQUAL(round + 1, peek(0));
        EXPECT(BYRE_OK, byre_dsm_barrier(&BYRE_DSM_BARRIER_OF(1, BYRE_DSM_BARRIER_TREE, THREADS)));
        if (me == 0 && arg == NULL) {
            EXPECT(BYRE_OK, byre_dsm_event_reset(&events[round % 2]));
            EXPECT(BYRE_EAGAIN, byre_dsm_event_test(&events[round % 2]));
            EXPECT(BYRE_EAGAIN, byre_dsm_event_test(&events[(round + 1) % 2]));
            if (round + 1 < ROUNDS) {
                poke(0, round + 2);
                EXPECT(BYRE_OK, byre_dsm_event_set(&events[(round + 1) % 2]));
            }
        }
    }
    return NULL;
}

static void *wait_once(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_event_wait(&events[0]));
    return NULL;
}

static void life_and_misuse(void)
{
    pthread_t thread;
    byre_dsm_event_t none = { 0 };
    EXPECT(BYRE_OK, byre_dsm_event_create(right(), &events[0]));
    EXPECT(BYRE_EAGAIN, byre_dsm_event_test(&events[0]));
    CHECK(pthread_create(&thread, NULL, wait_once, NULL) == 0);
    UNTIL(byre_dsm_event_destroy(&events[0]) == BYRE_EBUSY);
    EXPECT(BYRE_OK, byre_dsm_event_set(&events[0]));
    EXPECT(BYRE_OK, byre_dsm_event_set(&events[0])); /* once more changes nothing */
    pthread_join(thread, NULL);
    EXPECT(BYRE_OK, byre_dsm_event_destroy(&events[0]));
    EXPECT(BYRE_EAGAIN, byre_dsm_event_test(&events[0]));
    EXPECT(BYRE_EINVAL, byre_dsm_event_wait(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_event_set(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_event_reset(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_event_test(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_event_create(0, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_event_create(-5, &none));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_event_wait(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_event_set(NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    events[0] = BYRE_DSM_EVENT(0);
    events[1] = BYRE_DSM_EVENT(1);
    EXPECT(BYRE_ESTATE, byre_dsm_event_set(&events[0]));
    start_with_cells();
    if (me == 0) {
        poke(0, 1);
        EXPECT(BYRE_OK, byre_dsm_event_set(&events[0]));
    }
    in_threads(THREADS, wait_each);
    EXPECT(BYRE_OK, byre_barrier());
    life_and_misuse();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
