/* SPDX-License-Identifier: BSD-3-Clause */
/* Semaphores: never more inside than the value allows; what was posted is what can be taken; misuse. */
#include "sync_tools.h"

enum { THREADS = 3, EACH = 20, PLACES = 2 };

static byre_dsm_semaphore_t places, ping[2];
static byre_dsm_counter_t inside, most;

static void *enter_and_leave(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        int64_t old = -1;
        EXPECT(BYRE_OK, byre_dsm_semaphore_wait(&places));
        EXPECT(BYRE_OK, byre_dsm_counter_add(&inside, 1, &old));
        CHECK(old >= 0 && old < PLACES);
        if (old == PLACES - 1) EXPECT(BYRE_OK, byre_dsm_counter_add(&most, 1, NULL));
        EXPECT(BYRE_OK, byre_dsm_counter_add(&inside, -1, NULL));
        EXPECT(BYRE_OK, byre_dsm_semaphore_post(&places));
    }
    return NULL;
}

/* Two ranks in turn, the others look on; a rank alone plays with itself. */
static void *play(void *arg)
{
    int side = (int)(intptr_t)arg;
    for (int i = 0; i < EACH; i++) {
        EXPECT(BYRE_OK, byre_dsm_semaphore_wait(&ping[side]));
        EQUAL(2 * i + side, peek(0));
        poke(0, 2 * i + side + 1);
        EXPECT(BYRE_OK, byre_dsm_semaphore_post(&ping[1 - side]));
    }
    return NULL;
}

static void in_turn(void)
{
    if (ranks == 1) {
        EXPECT(BYRE_OK, byre_dsm_semaphore_post(&ping[0]));
        in_threads(2, play);
    } else if (me < 2) {
        if (me == 0) EXPECT(BYRE_OK, byre_dsm_semaphore_post(&ping[0]));
        (void)play((void *)(intptr_t)me);
    }
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(2 * EACH, peek(0));
}

static void *wait_once(void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_dsm_semaphore_wait(&places));
    return NULL;
}

static void bounds_and_misuse(void)
{
    byre_dsm_semaphore_t none = { 0 }, full;
    EXPECT(BYRE_OK, byre_dsm_semaphore_create(right(), UINT32_MAX, &full));
    EXPECT(BYRE_ERANGE, byre_dsm_semaphore_post(&full));
    EXPECT(BYRE_OK, byre_dsm_semaphore_trywait(&full));
    EXPECT(BYRE_OK, byre_dsm_semaphore_post(&full));
    EXPECT(BYRE_OK, byre_dsm_semaphore_destroy(&full));
    EXPECT(BYRE_EAGAIN, byre_dsm_semaphore_trywait(&full)); /* as new */
    EXPECT(BYRE_OK, byre_dsm_semaphore_destroy(&full));

    pthread_t thread;
    EXPECT(BYRE_OK, byre_dsm_semaphore_create(BYRE_ANY, 3, &places));
    for (int i = 0; i < 3; i++) EXPECT(BYRE_OK, byre_dsm_semaphore_trywait(&places));
    EXPECT(BYRE_EAGAIN, byre_dsm_semaphore_trywait(&places));
    CHECK(pthread_create(&thread, NULL, wait_once, NULL) == 0);
    UNTIL(byre_dsm_semaphore_destroy(&places) == BYRE_EBUSY);
    EXPECT(BYRE_EAGAIN, byre_dsm_semaphore_trywait(&places));
    EXPECT(BYRE_OK, byre_dsm_semaphore_post(&places));
    pthread_join(thread, NULL);
    EXPECT(BYRE_EAGAIN, byre_dsm_semaphore_trywait(&places)); /* it went to who waited */

    EXPECT(BYRE_EINVAL, byre_dsm_semaphore_wait(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_semaphore_trywait(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_semaphore_post(&none));
    EXPECT(BYRE_EINVAL, byre_dsm_semaphore_create(0, 1, NULL));
    EXPECT(BYRE_ERANK, byre_dsm_semaphore_create(ranks, 1, &none));
}

static void in_handler(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_dsm_semaphore_wait(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_semaphore_post(NULL));
    EXPECT(BYRE_ECONTEXT, byre_dsm_semaphore_create(0, 1, NULL));
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
}

int main(void)
{
    ping[0] = BYRE_DSM_SEMAPHORE(0);
    ping[1] = BYRE_DSM_SEMAPHORE(1);
    inside = BYRE_DSM_COUNTER(0);
    most = BYRE_DSM_COUNTER(1);
    EXPECT(BYRE_ESTATE, byre_dsm_semaphore_wait(&ping[0]));
    start_with_cells();
    if (me == ranks - 1) EXPECT(BYRE_OK, byre_dsm_semaphore_create(0, PLACES, &places));
    share(ranks - 1, &places, sizeof places);
    in_threads(THREADS, enter_and_leave);
    EXPECT(BYRE_OK, byre_barrier());
    in_turn();
    bounds_and_misuse();
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_request(me, 1, NULL, 0, NULL, 0, NULL));
    return finish();
}
