/* SPDX-License-Identifier: BSD-3-Clause */
/* Active messages: handled once each, in order from each thread, one at a time; what a handler may do. */
#include "testing.h"

enum { COLLECT = 0, HOP, ECHO, REFUSED, LAST = BYRE_AM_IDS - 1, EACH = 500 };

static _Atomic int collected, hops, refused, last, inside;
static int *next_of; /* [ranks]: written by the handler only */

static size_t length_of(int number)
{
    static const size_t sizes[] = { 0, 1, 8, 64, 1000, BYRE_AM_INLINE };
    return sizes[(size_t)number % LENGTH(sizes)];
}

static void collect(const byre_am_t *am, void *arg)
{
    CHECK(arg == &collected);
    EQUAL(0, atomic_fetch_add(&inside, 1)); /* one at a time */
    CHECK(am->source >= 0 && am->source < ranks);
    CHECK(am->bulk == NULL && am->bulk_bytes == 0 && am->call == 0);
    CHECK(((uintptr_t)am->data & 15) == 0);
    int number = next_of[am->source]++;
    EQUAL(length_of(number), am->bytes);
    CHECK(filled(am->data, am->bytes, mix3((uint64_t)am->source, (uint64_t)me, (uint64_t)number)));
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&collected, 1);
}

static void in_order(void)
{
    char data[BYRE_AM_INLINE];
    for (int i = 0; i < EACH; i++) {
        for (int to = 0; to < ranks; to++) {
            fill(data, length_of(i), mix3((uint64_t)me, (uint64_t)to, (uint64_t)i));
            EXPECT(BYRE_OK,
                   byre_am_send(to, COLLECT, length_of(i) ? data : NULL, length_of(i), NULL, 0));
            memset(data, 0, length_of(i)); /* ours again */
        }
    }
    UNTIL(atomic_load(&collected) == EACH * ranks);
    for (int r = 0; r < ranks; r++) EQUAL(EACH, next_of[r]);
}

/* A handler that sends: a message hops round the ring until it has no hops left. */
static void hop(const byre_am_t *am, void *arg)
{
    int left_over;
    (void)arg;
    EQUAL(sizeof left_over, am->bytes);
    memcpy(&left_over, am->data, sizeof left_over);
    atomic_fetch_add(&hops, 1);
    if (--left_over > 0)
        EXPECT(BYRE_OK, byre_am_send(right(), HOP, &left_over, sizeof left_over, NULL, 0));
}

static void round_the_ring(void)
{
    int far = 100 * ranks; /* each one's message visits every rank a hundred times */
    EXPECT(BYRE_OK, byre_am_send(right(), HOP, &far, sizeof far, NULL, 0));
    UNTIL(atomic_load(&hops) == 100 * ranks);
}

/* Each message to a handler gives two to the sender. */
static void echo(const byre_am_t *am, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++)
        EXPECT(BYRE_OK, byre_am_send(am->source, LAST, am->data, am->bytes, NULL, 0));
}

static void count_last(const byre_am_t *am, void *arg)
{
    (void)am, (void)arg;
    atomic_fetch_add(&last, 1);
}

/* What blocks is refused in a handler. */
static void refuse(const byre_am_t *am, void *arg)
{
    char room[8] = "";
    byre_info_t info;
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_send(at(me, 1), room, 8));
    EXPECT(BYRE_ECONTEXT, byre_send_sync(at(me, 1), room, 8));
    EXPECT(BYRE_ECONTEXT, byre_recv(1, BYRE_ANY, room, 8, &info));
    EXPECT(BYRE_ECONTEXT, byre_barrier());
    EXPECT(BYRE_ECONTEXT, byre_finalize());
    EXPECT(BYRE_ECONTEXT, byre_am_request(me, ECHO, room, 8, NULL, 0, NULL));
    EXPECT(BYRE_ECONTEXT, byre_am_send(me, ECHO, NULL, 0, room, 8));
    /* What does not block works. */
    EXPECT(BYRE_EAGAIN, byre_poll(1, BYRE_ANY, NULL));
    EQUAL(me, byre_rank());
    EQUAL(ranks, byre_size());
    EQUAL(1, byre_initialized());
    EQUAL(0, byre_peer_failed(am->source));
    CHECK(byre_node_of(am->source) >= 0 && byre_node_count() > 0);
    CHECK(byre_node_name(0) != NULL);
    atomic_fetch_add(&refused, 1);
}

int main(void)
{
    uint64_t unknown = 0;
    start();
    next_of = calloc((size_t)ranks, sizeof *next_of);
    CHECK(next_of != NULL);
    EXPECT(BYRE_OK, byre_am_register(COLLECT, collect, NULL, &collected));
    EXPECT(BYRE_OK, byre_am_register(HOP, hop, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(ECHO, echo, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(REFUSED, refuse, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(LAST, count_last, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    in_order();
    round_the_ring();
    for (int i = 0; i < 300; i++)
        EXPECT(BYRE_OK, byre_am_send(right(), ECHO, &i, sizeof i, NULL, 0));
    UNTIL(atomic_load(&last) == 600);
    EXPECT(BYRE_OK, byre_am_send(right(), REFUSED, NULL, 0, NULL, 0));
    UNTIL(atomic_load(&refused) == 1);

    /* For an id without handler: counted. */
    EXPECT(BYRE_OK, byre_am_send(right(), 50, &me, sizeof me, NULL, 0));
    UNTIL(byre_counter_get("am_unknown", &unknown) == BYRE_OK && unknown == 1);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_register(COLLECT, NULL, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_send(right(), COLLECT, &me, sizeof me, NULL, 0));
    UNTIL(byre_counter_get("am_unknown", &unknown) == BYRE_OK && unknown == 2);
    EQUAL(EACH * ranks, atomic_load(&collected));
    int error = finish();
    free(next_of);
    return error;
}
