/* SPDX-License-Identifier: BSD-3-Clause */
/* Long messages: the lengths around which the way changes, and some MiB. A buffer that is too short
 * leaves the message where it is and says how long it is. */
#include "mailbox_tools.h"

static const size_t sizes[] = { 0,    1,    8,     3999,   4032,    4039,    4040,          4041,
                                4047, 4048, 4056,  4057,   4064,    4065,    4095,          4096,
                                4097, 8192, 65536, 100001, 1 << 20, 7 << 20, (16 << 20) + 3 };

static void send_sizes(const byre_right_t *to)
{
    char *buf = room_for(17 * MIB);
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        fill(buf, sizes[i], mix3((uint64_t)me, i, 77));
        EXPECT(BYRE_OK, byre_mailbox_send(to, buf, sizes[i], 0));
        memset(buf, 0xee, sizes[i]); /* sent means that it may change */
    }
    free(buf);
}

static void receive_sizes(const byre_right_t *from, int source)
{
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        char *buf = room_for(sizes[i] + 1);
        byre_info_t info = { .bytes = 0 };
        if (sizes[i] > 0) {
            EXPECT(BYRE_ETRUNC, byre_mailbox_recv(from, buf, sizes[i] - 1, -1, &info));
            EQUAL(sizes[i], info.bytes);
        }
        buf[sizes[i]] = 'x';
        EXPECT(BYRE_OK, byre_mailbox_recv(from, buf, sizes[i] + (i % 2), -1, &info));
        EQUAL(sizes[i], info.bytes);
        EQUAL(source, info.source);
        CHECK(filled(buf, sizes[i], mix3((uint64_t)source, i, 77)));
        EQUAL('x', buf[sizes[i]]);
        free(buf);
    }
}

int main(void)
{
    start();
    for (int owner = 0; owner < ranks; owner++) {
        int sender = (owner + 1) % ranks, receiver = (owner + 2) % ranks;
        byre_right_t receive, send;
        size_t capacity = sender == receiver ? LENGTH(sizes) : 2;
        make_mailbox(owner, capacity, 17 * MIB, BYRE_OVERFLOW_BLOCK, &receive, &send);
        if (me == sender) {
            EXPECT(BYRE_ERANGE, byre_mailbox_send(&send, &owner, 17 * MIB + 1, 0));
            send_sizes(&send);
        }
        if (me == receiver) {
            receive_sizes(&receive, sender);
            EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
        }
        EXPECT(BYRE_OK, byre_barrier());
    }
    return finish();
}
