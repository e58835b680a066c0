/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow control: many senders flood one rank whose handler takes its time, then everybody floods
 * everybody from several threads and handlers answer each message. Few credits make it hard. */
#include "testing.h"
#include <pthread.h>

enum { SLOW = 1, ANSWERED, ANSWER, MANY = 1500, THREADS = 3, FLOOD = 600 };

static _Atomic int slow, asked, answers;
static int *next_of;

static void slowly(const byre_am_t *am, void *arg)
{
    int number;
    (void)arg;
    EQUAL(BYRE_AM_INLINE, am->bytes);
    memcpy(&number, am->data, sizeof number);
    EQUAL(next_of[am->source], number);
    next_of[am->source]++;
    volatile unsigned work = 0;
    for (unsigned i = 0; i < 5000; i++) work += i; /* takes its time */
    atomic_fetch_add(&slow, 1);
}

static void answered(const byre_am_t *am, void *arg)
{
    (void)arg;
    atomic_fetch_add(&asked, 1);
    EXPECT(BYRE_OK, byre_am_send(am->source, ANSWER, am->data, am->bytes, NULL, 0));
}

static void answer(const byre_am_t *am, void *arg)
{
    (void)arg;
    CHECK(filled(am->data, am->bytes, am->bytes));
    atomic_fetch_add(&answers, 1);
}

static void *flood(void *arg)
{
    uint64_t state = (uint64_t)(*(int *)arg + me * THREADS);
    char data[BYRE_AM_INLINE];
    for (int i = 0; i < FLOOD; i++) {
        size_t bytes = draw(&state, BYRE_AM_INLINE);
        fill(data, bytes, bytes);
        EXPECT(BYRE_OK, byre_am_send(i % ranks, ANSWERED, data, bytes, NULL, 0));
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];
    char data[BYRE_AM_INLINE] = "";
    CHECK(setenv("BYRE_AM_CREDITS", "8", 1) == 0);
    start();
    next_of = calloc((size_t)ranks, sizeof *next_of);
    CHECK(next_of != NULL);
    EXPECT(BYRE_OK, byre_am_register(SLOW, slowly, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(ANSWERED, answered, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(ANSWER, answer, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < MANY; i++) {
        memcpy(data, &i, sizeof i);
        EXPECT(BYRE_OK, byre_am_send(0, SLOW, data, sizeof data, NULL, 0));
    }
    if (me == 0) {
        UNTIL(atomic_load(&slow) == MANY * ranks);
        for (int r = 0; r < ranks; r++) EQUAL(MANY, next_of[r]);
    }
    for (int t = 0; t < THREADS; t++) {
        numbers[t] = t;
        CHECK(pthread_create(&threads[t], NULL, flood, &numbers[t]) == 0);
    }
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    UNTIL(atomic_load(&answers) == THREADS * FLOOD);
    int error = finish();
    EQUAL(THREADS * FLOOD, atomic_load(&answers));
    free(next_of);
    return error;
}
