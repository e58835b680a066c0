/* SPDX-License-Identifier: BSD-3-Clause */
/* Several receives wait when a message comes that is too long for the first: the next one gets it, and
 * what comes behind it goes to the one after that. */
#include "testing.h"

static const size_t sizes[] = { 100, 10 * 1024, 1024 * 1024 };
static const size_t rooms[] = { 8, 99, 4096, 10 * 1024 - 1, 1024 * 1024 - 1 };

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

/* Nonblocking: three receives wait when the message comes; the first is too short. */
static void nonblocking(size_t bytes, size_t room, bool wait_backwards)
{
    byre_info_t infos[3];
    byre_request_t reqs[3];
    int which = number, errors[3];
    char *second = room_for(MIB), *third = room_for(MIB);
    EXPECT(BYRE_OK, byre_irecv(2, left(), in, room, &reqs[0]));
    EXPECT(BYRE_OK, byre_irecv(2, BYRE_ANY, second, MIB, &reqs[1]));
    EXPECT(BYRE_OK, byre_irecv(2, left(), third, MIB, &reqs[2]));
    EXPECT(BYRE_OK, byre_barrier());
    send_one(2, bytes);
    send_one(2, 30);
    for (int i = 0; i < 3; i++) {
        int j = wait_backwards ? 2 - i : i;
        errors[j] = byre_wait(&reqs[j], &infos[j]);
    }
    EXPECT(BYRE_ETRUNC, errors[0]);
    EXPECT(BYRE_OK, errors[1]);
    EXPECT(BYRE_OK, errors[2]);
    told_right(&infos[0], 2, bytes);
    told_right(&infos[1], 2, bytes);
    told_right(&infos[2], 2, 30);
    CHECK(filled(second, bytes, seed_of(left(), which)));
    CHECK(filled(third, 30, seed_of(left(), which + 1)));
    free(third);
    free(second);
}

int main(void)
{
    start();
    out = room_for(MIB);
    in = room_for(MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        for (size_t j = 0; j < LENGTH(rooms); j++) {
            if (rooms[j] >= sizes[i]) continue;
            nonblocking(sizes[i], rooms[j], false);
            nonblocking(sizes[i], rooms[j], true);
        }
    }
    free(in);
    free(out);
    return finish();
}
