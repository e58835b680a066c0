/* SPDX-License-Identifier: BSD-3-Clause */
/* Nobody leaves a barrier before everybody has come; also when one is late, and beside messages. */
#include "testing.h"
#include <pthread.h>

enum { WHERE = 1, ROUNDS = 100 };

static _Atomic int entered; /* the barrier that this rank came to last */
static _Atomic bool over;

static void where(const byre_am_t *am, void *arg)
{
    int round = atomic_load(&entered);
    (void)arg;
    EXPECT(BYRE_OK, byre_am_reply(am, &round, sizeof round));
}

static void *talker(void *arg)
{
    int out = 0;
    (void)arg;
    while (!atomic_load(&over)) {
        int in = -1;
        EXPECT(BYRE_OK, byre_isend_copy(at(me, 1), &out, sizeof out));
        EXPECT(BYRE_OK, byre_recv(1, me, &in, sizeof in, NULL));
        EQUAL(out, in);
        out++;
    }
    return NULL;
}

int main(void)
{
    pthread_t thread;
    start();
    EXPECT(BYRE_OK, byre_am_register(WHERE, where, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int round = 1; round <= ROUNDS; round++) {
        if (round == ROUNDS / 2) CHECK(pthread_create(&thread, NULL, talker, NULL) == 0);
        if (round % ranks == me && round % 10 == 0) { /* late */
            double until = now_s() + 0.002;
            while (now_s() < until) continue;
        }
        atomic_store(&entered, round);
        EXPECT(BYRE_OK, byre_barrier());
        for (int r = 0; r < ranks; r++) {
            int there = -1;
            EXPECT(BYRE_OK, byre_am_request(r, WHERE, NULL, 0, &there, sizeof there, NULL));
            CHECK(there == round || there == round + 1);
        }
    }
    atomic_store(&over, true);
    pthread_join(thread, NULL);
    return finish();
}
