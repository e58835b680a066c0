/* SPDX-License-Identifier: BSD-3-Clause */
/* Send and receive: every length, in order, from one rank or from any. */
#include "testing.h"

static const size_t sizes[] = {
    0,           1,       7,           8,       63,       64,       65,           100,       1000,
    4 * KIB - 1, 4 * KIB, 4 * KIB + 1, 8 * KIB, 16 * KIB, 64 * KIB, 64 * KIB + 1, 256 * KIB, MIB
};

static uint64_t seed_of(int source, int to, size_t number)
{
    return mix3((uint64_t)source, (uint64_t)to, number);
}

/* Round the ring: the receive begins first, so that a blocking send may be a rendezvous. */
static void ring(void)
{
    char *out = room_for(MIB), *in = room_for(MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        byre_request_t req;
        byre_info_t info = { -7, -7, 7 };
        EXPECT(BYRE_OK, byre_irecv(3, left(), in, MIB, &req));
        fill(out, sizes[i], seed_of(me, right(), i));
        EXPECT(BYRE_OK, byre_send(at(right(), 3), sizes[i] ? out : NULL, sizes[i]));
        memset(out, 0xee, sizes[i]);
        EXPECT(BYRE_OK, byre_wait(&req, &info));
        EQUAL(left(), info.source);
        EQUAL(3, info.port);
        EQUAL(sizes[i], info.bytes);
        CHECK(filled(in, sizes[i], seed_of(left(), me, i)));
    }
    free(out);
    free(in);
}

/* Pairs of ranks, both sides blocking; room that fits exactly. */
static void pairs(void)
{
    int other = me ^ 1;
    if (other >= ranks) return;
    for (size_t i = 0; i < LENGTH(sizes) * 2; i++) {
        size_t bytes = sizes[i / 2];
        char *room = room_for(bytes);
        byre_info_t info;
        if ((me < other) == (i % 2 == 0)) {
            fill(room, bytes, seed_of(me, other, i));
            EXPECT(BYRE_OK, byre_send(at(other, byre_port_max()), room, bytes));
        } else {
            EXPECT(BYRE_OK, byre_recv(byre_port_max(), i % 4 < 2 ? other : BYRE_ANY,
                                      bytes ? room : NULL, bytes, &info));
            EQUAL(bytes, info.bytes);
            EQUAL(other, info.source);
            EQUAL(byre_port_max(), info.port);
            CHECK(filled(room, bytes, seed_of(other, me, i)));
        }
        free(room);
    }
}

/* Everybody to everybody, itself too, short and long mixed: in order from each. */
static void in_order(bool any, int port)
{
    enum { EACH = 60 };
    size_t total = (size_t)ranks * EACH, room = 64 * KIB;
    byre_request_t *reqs = room_for(total * sizeof(byre_request_t));
    char **bufs = room_for(total * sizeof(char *)), *in = room_for(room);
    size_t *next = calloc((size_t)ranks, sizeof *next);
    CHECK(next != NULL);

    for (size_t i = 0; i < total; i++) {
        int to = (int)(i % (size_t)ranks);
        size_t number = i / (size_t)ranks, bytes = 16 + mix(number) % (number % 5 ? 200 : 60000);
        bufs[i] = room_for(bytes);
        fill(bufs[i], bytes, seed_of(me, to, number));
        EXPECT(BYRE_OK, byre_isend(at(to, port), bufs[i], bytes, NULL, &reqs[i]));
    }
    for (size_t i = 0; i < total; i++) {
        byre_info_t info;
        int from = any ? BYRE_ANY : (int)(i / EACH);
        EXPECT(BYRE_OK, byre_recv(port, from, in, room, &info));
        CHECK(any || info.source == from);
        CHECK(info.source >= 0 && info.source < ranks);
        size_t number = next[info.source]++;
        EQUAL(16 + mix(number) % (number % 5 ? 200 : 60000), info.bytes);
        CHECK(filled(in, info.bytes, seed_of(info.source, me, number)));
    }
    EXPECT(BYRE_OK, byre_wait_all(total, reqs, NULL, NULL));
    for (int r = 0; r < ranks; r++) EQUAL(EACH, next[r]);
    for (size_t i = 0; i < total; i++) free(bufs[i]);
    free(next);
    free(in);
    free(bufs);
    free(reqs);
}

/* Messages for one port do not come out of another. */
static void ports_apart(void)
{
    for (int port = 10; port < 20; port++) {
        int number = port * 100 + me;
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), port), &number, sizeof number));
    }
    for (int port = 19; port >= 10; port--) {
        int number = -1;
        EXPECT(BYRE_OK, byre_recv(port, BYRE_ANY, &number, sizeof number, NULL));
        EQUAL(port * 100 + left(), number);
    }
}

int main(void)
{
    start();
    ring();
    pairs();
    in_order(false, 4);
    in_order(true, 5);
    ports_apart();
    return finish();
}
