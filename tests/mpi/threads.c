/* SPDX-License-Identifier: BSD-3-Clause */
/* Several threads of each rank communicate at once: each on a port of its own in every way there is,
 * then all of them on one port. */
#include "testing.h"
#include <pthread.h>

enum { THREADS = 5, ROUNDS = 60, GIFTS = 200, COMMON = 100, ADD = 1 };

static const size_t sizes[] = { 8, 500, 9000, 100000 };
static _Atomic long long taken_sum;
static _Atomic int to_take;

static void add_one(const byre_am_t *am, void *arg)
{
    int number;
    (void)arg;
    memcpy(&number, am->data, sizeof number);
    number++;
    EXPECT(BYRE_OK, byre_am_reply(am, &number, sizeof number));
}

/* Thread t of this rank sends to thread t of the right one and receives from that of the left one. */
static void *exchange(void *arg)
{
    int t = *(int *)arg;
    char *out = room_for(100000), *in = room_for(100000);
    for (int i = 0; i < ROUNDS; i++) {
        size_t bytes = sizes[(size_t)(i + t) % LENGTH(sizes)];
        uint64_t seed = mix3((uint64_t)me, (uint64_t)t, (uint64_t)i);
        byre_addr_t to = at(right(), t);
        byre_request_t receive = BYRE_REQUEST_NULL, send = BYRE_REQUEST_NULL;
        byre_info_t info = { 0, 0, 0 };
        void *got = in;
        bool ahead = i % 2 == 0 || i % 6 < 2; /* blocking sends need the receive to have begun */
        if (ahead) EXPECT(BYRE_OK, byre_irecv(t, left(), in, 100000, &receive));
        fill(out, bytes, seed);
        switch (i % 6) {
        case 0:
            EXPECT(BYRE_OK, byre_send(to, out, bytes));
            break;
        case 1:
            EXPECT(BYRE_OK, byre_send_sync(to, out, bytes));
            break;
        case 2:
        case 3:
            EXPECT(BYRE_OK, byre_isend(to, out, bytes, NULL, &send));
            break;
        case 4:
            EXPECT(BYRE_OK, byre_isend_copy(to, out, bytes));
            break;
        default:
            EXPECT(BYRE_OK, byre_isend_cow(to, out, bytes, NULL, &send));
            memset(out, 0, bytes);
        }
        if (ahead) {
            EXPECT(BYRE_OK, byre_wait(&receive, &info));
        } else if (i % 6 == 3) {
            int error;
            UNTIL((error = byre_get_message(t, left(), &got, &info)) != BYRE_EAGAIN);
            EXPECT(BYRE_OK, error);
        } else {
            EXPECT(BYRE_OK, byre_recv(t, BYRE_ANY, in, 100000, &info));
        }
        EQUAL(bytes, info.bytes);
        EQUAL(t, info.port);
        EQUAL(left(), info.source);
        CHECK(filled(got, bytes, mix3((uint64_t)left(), (uint64_t)t, (uint64_t)i)));
        if (got != in) free(got);
        EXPECT(BYRE_OK, byre_wait(&send, NULL));
        int answer = 0;
        EXPECT(BYRE_OK,
               byre_am_request((me + i) % ranks, ADD, &i, sizeof i, &answer, sizeof answer, NULL));
        EQUAL(i + 1, answer);
    }
    free(in);
    free(out);
    return NULL;
}

/* All threads give to one port of each rank, and take from it: each message goes to one of them. */
static void *take(void *arg)
{
    (void)arg;
    while (atomic_fetch_sub(&to_take, 1) > 0) {
        int number;
        EXPECT(BYRE_OK, byre_recv(COMMON, BYRE_ANY, &number, sizeof number, NULL));
        atomic_fetch_add(&taken_sum, number);
    }
    return NULL;
}

static void *give(void *arg)
{
    int t = *(int *)arg;
    for (int i = 0; i < GIFTS; i++) {
        int number = (me * THREADS + t) * GIFTS + i;
        EXPECT(BYRE_OK, byre_send(at(i % ranks, COMMON), &number, sizeof number));
    }
    return NULL;
}

static void with_threads(void *(*work)(void *), pthread_t *threads, int *numbers)
{
    for (int t = 0; t < THREADS; t++) {
        numbers[t] = t;
        CHECK(pthread_create(&threads[t], NULL, work, &numbers[t]) == 0);
    }
}

static void join(pthread_t *threads)
{
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
}

int main(void)
{
    pthread_t givers[THREADS], takers[THREADS];
    int numbers[THREADS];
    start();
    EXPECT(BYRE_OK, byre_am_register(ADD, add_one, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    with_threads(exchange, givers, numbers);
    join(givers);
    EXPECT(BYRE_OK, byre_barrier());

    long long sum = 0;
    int gifts = 0;
    for (int number = 0; number < ranks * THREADS * GIFTS; number++) {
        if (number % GIFTS % ranks != me) continue;
        gifts++;
        sum += number;
    }
    atomic_store(&to_take, gifts);
    with_threads(take, takers, numbers);
    with_threads(give, givers, numbers);
    join(givers);
    join(takers);
    EQUAL(sum, atomic_load(&taken_sum));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(COMMON, BYRE_ANY, NULL));
    return finish();
}
