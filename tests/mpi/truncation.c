/* SPDX-License-Identifier: BSD-3-Clause */
/* A message that is longer than the buffer is an error and is kept whole: the receive that begins
 * next on the port gets it, and the order stays. */
#include "testing.h"

static const size_t sizes[] = { 100, 10 * 1024, 1024 * 1024 };
static const size_t rooms[] = { 0, 8, 99, 4096, 10 * 1024 - 1, 1024 * 1024 - 1 };

static char *out, *in;
static int number;

static uint64_t seed_of(int source, int which)
{
    return mix3((uint64_t)source, 77, (uint64_t)which);
}

static void send_one(int port, size_t bytes)
{
    fill(out, bytes, seed_of(me, number));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), port), out, bytes));
    number++;
}

static void told_right(const byre_info_t *info, int port, size_t bytes)
{
    EQUAL(left(), info->source);
    EQUAL(port, info->port);
    EQUAL(bytes, info->bytes);
}

static void gets(int port, int from, int which, size_t bytes)
{
    byre_info_t info;
    memset(in, 0, bytes);
    EXPECT(BYRE_OK, byre_recv(port, from, in, 2 * MIB, &info));
    told_right(&info, port, bytes);
    CHECK(filled(in, bytes, seed_of(left(), which)));
}

/* Blocking: too short twice, then long enough; another message behind it. */
static void blocking(size_t bytes, size_t room, int from)
{
    byre_info_t info;
    int which = number;
    send_one(1, bytes);
    send_one(1, 20);
    EXPECT(BYRE_ETRUNC, byre_recv(1, from, room ? in : NULL, room, &info));
    told_right(&info, 1, bytes);
    EXPECT(BYRE_OK, byre_poll(1, from, &info));
    told_right(&info, 1, bytes);
    EXPECT(BYRE_ETRUNC, byre_recv(1, left(), room ? in : NULL, room, NULL));
    gets(1, from, which, bytes);
    gets(1, from, which + 1, 20);
}

/* Receives wait when a message comes that is too long for the first: the others get what is behind it,
 * and the one that begins next gets it. */
static void too_short_for_the_first(size_t bytes)
{
    enum { SHORT = 4 };
    byre_request_t reqs[SHORT];
    int which = number;
    char few[SHORT][8];
    for (int i = 0; i < SHORT; i++)
        EXPECT(BYRE_OK, byre_irecv(3, i % 2 ? BYRE_ANY : left(), few[i], 8, &reqs[i]));
    EXPECT(BYRE_OK, byre_barrier());
    send_one(3, bytes);
    for (int i = 1; i < SHORT; i++) send_one(3, 8);
    for (int i = 0; i < SHORT; i++) {
        byre_info_t info;
        EXPECT(i == 0 ? BYRE_ETRUNC : BYRE_OK, byre_wait(&reqs[i], &info));
        told_right(&info, 3, i == 0 ? bytes : 8);
        if (i > 0) CHECK(filled(few[i], 8, seed_of(left(), which + i)));
    }
    gets(3, BYRE_ANY, which, bytes);
}

/* All are too short for what comes: all of it is kept, in order. */
static void too_short_for_all(size_t bytes)
{
    enum { SHORT = 4 };
    byre_request_t reqs[SHORT];
    int which = number;
    char few[SHORT][8];
    for (int i = 0; i < SHORT; i++)
        EXPECT(BYRE_OK, byre_irecv(3, i % 2 ? BYRE_ANY : left(), few[i], 8, &reqs[i]));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < SHORT; i++) send_one(3, bytes);
    for (int i = 0; i < SHORT; i++) {
        byre_info_t info;
        EXPECT(BYRE_ETRUNC, byre_wait(&reqs[i], &info));
        told_right(&info, 3, bytes);
    }
    for (int i = 0; i < SHORT; i++) gets(3, i % 2 ? BYRE_ANY : left(), which + i, bytes);
}

/* One that is too short and one that is long enough: the latter may get what came behind the message
 * that was kept, but nothing is lost and nothing comes twice. */
static void short_and_long(size_t bytes, size_t room)
{
    byre_info_t info;
    byre_request_t reqs[2];
    int which = number;
    char *second = room_for(MIB);
    EXPECT(BYRE_OK, byre_irecv(2, left(), in, room, &reqs[0]));
    EXPECT(BYRE_OK, byre_irecv(2, BYRE_ANY, second, MIB, &reqs[1]));
    EXPECT(BYRE_OK, byre_barrier());
    send_one(2, bytes);
    send_one(2, 30);
    EXPECT(BYRE_ETRUNC, byre_wait(&reqs[0], &info));
    told_right(&info, 2, bytes);
    EXPECT(BYRE_OK, byre_wait(&reqs[1], &info));
    if (info.bytes == 30) {
        CHECK(filled(second, 30, seed_of(left(), which + 1)));
        gets(2, BYRE_ANY, which, bytes);
    } else {
        told_right(&info, 2, bytes);
        CHECK(filled(second, bytes, seed_of(left(), which)));
        gets(2, BYRE_ANY, which + 1, 30);
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(2, BYRE_ANY, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    free(second);
}

/* The other ways to take what was kept. */
static _Atomic int popped;

static void pop(void *msg, const byre_info_t *info, void *arg)
{
    int which = *(int *)arg + atomic_load(&popped);
    CHECK(filled(msg, info->bytes, seed_of(info->source, which)));
    atomic_fetch_add(&popped, 1);
}

static void other_ways(size_t bytes)
{
    byre_info_t info;
    void *message;
    int which = number;
    byre_request_t req;
    send_one(4, bytes);
    EXPECT(BYRE_ETRUNC, byre_recv(4, BYRE_ANY, in, 8, &info));
    EXPECT(BYRE_OK, byre_get_message(4, left(), &message, &info));
    told_right(&info, 4, bytes);
    CHECK(filled(message, bytes, seed_of(left(), which)));
    free(message);

    which = number;
    send_one(4, bytes);
    EXPECT(BYRE_ETRUNC, byre_recv(4, left(), in, 8, &info));
    EXPECT(BYRE_OK, byre_irecv(4, BYRE_ANY, in, bytes, &req));
    EXPECT(BYRE_OK, byre_wait(&req, &info));
    told_right(&info, 4, bytes);
    CHECK(filled(in, bytes, seed_of(left(), which)));

    which = number;
    send_one(4, bytes);
    EXPECT(BYRE_ETRUNC, byre_recv(4, left(), in, 8, &info));
    atomic_store(&popped, 0);
    EXPECT(BYRE_OK, byre_port_popup(4, pop, &which));
    UNTIL(atomic_load(&popped) == 1);
    EXPECT(BYRE_OK, byre_port_popup(4, NULL, NULL));
}

/* Rank by rank: one that was cut short does not hide another's message. */
static void per_source(void)
{
    byre_info_t info;
    if (ranks < 3) return;
    fill(out, 500, seed_of(me, 0));
    EXPECT(BYRE_OK, byre_isend_copy(at(right(), 5), out, 500));
    EXPECT(BYRE_OK, byre_isend_copy(at(left(), 5), out, 5));
    EXPECT(BYRE_ETRUNC, byre_recv(5, left(), in, 8, &info));
    EXPECT(BYRE_OK, byre_recv(5, right(), in, 8, &info));
    EQUAL(5, info.bytes);
    EQUAL(right(), info.source);
    EXPECT(BYRE_OK, byre_recv(5, BYRE_ANY, in, 500, &info));
    EQUAL(left(), info.source);
    CHECK(filled(in, 500, seed_of(left(), 0)));
}

int main(void)
{
    uint64_t kept = 0;
    start();
    out = room_for(MIB);
    in = room_for(2 * MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        for (size_t j = 0; j < LENGTH(rooms); j++) {
            if (rooms[j] >= sizes[i]) continue;
            blocking(sizes[i], rooms[j], left());
            blocking(sizes[i], rooms[j], BYRE_ANY);
            if (rooms[j] >= 30) short_and_long(sizes[i], rooms[j]);
        }
        too_short_for_all(sizes[i]);
        too_short_for_the_first(sizes[i]);
        other_ways(sizes[i]);
    }
    per_source();
    EXPECT(BYRE_OK, byre_counter_get("msg_kept", &kept));
    CHECK(kept > 0);
    free(in);
    free(out);
    return finish();
}
