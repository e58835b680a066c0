/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank that computes and calls nothing of Byre answers requests all the same. Each rank asks in its
 * turn, while the main threads of all others compute until they are told that it is over. */
#include "testing.h"
#include <pthread.h>

enum { ASK = 1, OVER, TIMES = 60 };

static _Atomic int turn; /* how many askers are through */

static void answer(const byre_am_t *am, void *arg)
{
    int number;
    (void)arg;
    memcpy(&number, am->data, sizeof number);
    number = -number;
    EXPECT(BYRE_OK, byre_am_reply(am, &number, sizeof number));
}

static void over(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
    atomic_fetch_add(&turn, 1);
}

static void compute_until(int until)
{
    volatile double work = 1;
    while (atomic_load(&turn) < until)
        for (int i = 0; i < 1000; i++) work = work * 1.0000001 + 1e-9;
}

static void ask_all(void)
{
    for (int i = 0; i < TIMES; i++) {
        for (int to = 0; to < ranks; to++) {
            int number = me * TIMES + i, got = 0;
            EXPECT(BYRE_OK,
                   byre_am_request(to, ASK, &number, sizeof number, &got, sizeof got, NULL));
            EQUAL(-number, got);
        }
    }
    for (int to = 0; to < ranks; to++) EXPECT(BYRE_OK, byre_am_send(to, OVER, NULL, 0, NULL, 0));
}

static void *computer(void *arg)
{
    compute_until(*(int *)arg);
    return NULL;
}

int main(void)
{
    start();
    EXPECT(BYRE_OK, byre_am_register(ASK, answer, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(OVER, over, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int r = 0; r < ranks; r++) {
        int until = r + 1;
        if (r == me && ranks == 1) { /* alone: another thread computes */
            pthread_t thread;
            CHECK(pthread_create(&thread, NULL, computer, &until) == 0);
            ask_all();
            pthread_join(thread, NULL);
        } else if (r == me) {
            ask_all();
        }
        compute_until(until);
    }
    return finish();
}
