/* SPDX-License-Identifier: BSD-3-Clause */
/* Receives on one port take messages in the order in which the receives began. */
#include "testing.h"

enum { MANY = 64, ROOM = 70000 };

static char *in[MANY];
static byre_request_t reqs[MANY];

static size_t length_of(int i)
{
    return i % 7 == 3 ? ROOM : (size_t)(8 + i * 13);
}

static void send_all(int count, int port)
{
    char *out = room_for(ROOM);
    for (int i = 0; i < count; i++) {
        fill(out, length_of(i), mix3((uint64_t)me, (uint64_t)port, (uint64_t)i));
        EXPECT(BYRE_OK, byre_isend_copy(at(right(), port), out, length_of(i)));
    }
    free(out);
}

static void check_one(int i, int port, int number)
{
    byre_info_t info;
    EXPECT(BYRE_OK, byre_wait(&reqs[i], &info));
    EQUAL(left(), info.source);
    EQUAL(length_of(number), info.bytes);
    CHECK(filled(in[i], info.bytes, mix3((uint64_t)left(), (uint64_t)port, (uint64_t)number)));
}

/* From one and from any, mixed; receives that begin before the messages come, and after. */
static void one_sender(int port, bool receive_first, int waited_for)
{
    if (!receive_first) {
        send_all(MANY, port);
        EXPECT(BYRE_OK, byre_barrier());
    }
    for (int i = 0; i < MANY; i++)
        EXPECT(BYRE_OK, byre_irecv(port, i % 3 == 1 ? BYRE_ANY : left(), in[i], ROOM, &reqs[i]));
    if (receive_first) {
        EXPECT(BYRE_OK, byre_barrier());
        send_all(MANY, port);
    }
    if (waited_for > 0)
        for (int i = 0; i < MANY; i++) check_one(i, port, i);
    else
        for (int i = MANY - 1; i >= 0; i--) check_one(i, port, i);
}

/* A blocking receive comes after those that began before it. */
static void blocking_waits_its_turn(int port)
{
    byre_info_t info;
    char *last = room_for(ROOM);
    for (int i = 0; i < 5; i++) EXPECT(BYRE_OK, byre_irecv(port, left(), in[i], ROOM, &reqs[i]));
    send_all(6, port);
    EXPECT(BYRE_OK, byre_recv(port, BYRE_ANY, last, ROOM, &info));
    EQUAL(length_of(5), info.bytes);
    CHECK(filled(last, info.bytes, mix3((uint64_t)left(), (uint64_t)port, 5)));
    for (int i = 0; i < 5; i++) check_one(i, port, i);
    free(last);
}

/* A receive that waits for one rank does not hold up one that takes another's message. */
static void not_in_the_way(int port)
{
    int number = me, got_right = -1, got_any = -1;
    byre_request_t from_right, from_any;
    if (ranks < 3) return;
    EXPECT(BYRE_OK, byre_irecv(port, right(), &got_right, sizeof got_right, &from_right));
    EXPECT(BYRE_OK, byre_irecv(port, BYRE_ANY, &got_any, sizeof got_any, &from_any));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_send(at(right(), port), &number, sizeof number));
    EXPECT(BYRE_OK, byre_wait(&from_any, NULL));
    EQUAL(left(), got_any);
    EXPECT(BYRE_EAGAIN, byre_test(&from_right, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_send(at(left(), port), &number, sizeof number));
    EXPECT(BYRE_OK, byre_wait(&from_right, NULL));
    EQUAL(right(), got_right);
}

int main(void)
{
    start();
    for (int i = 0; i < MANY; i++) in[i] = room_for(ROOM);
    one_sender(1, true, 1);
    one_sender(2, true, -1);
    one_sender(3, false, 1);
    one_sender(4, false, -1);
    blocking_waits_its_turn(5);
    not_in_the_way(6);
    for (int i = 0; i < MANY; i++) free(in[i]);
    return finish();
}
