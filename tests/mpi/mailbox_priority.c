/* SPDX-License-Identifier: BSD-3-Clause */
/* The highest priority first, equal ones in the order sent, whoever sent them and however long. */
#include "mailbox_tools.h"

enum { EACH = 40, LONG = 6000 };

static int priority_of(int number)
{
    return (int)(mix((uint64_t)number) % 8);
}

static size_t length_of(int number)
{
    return number % 5 == 0 ? LONG : sizeof number;
}

static void send_mine(const byre_right_t *to)
{
    static unsigned char buf[LONG];
    for (int i = 0; i < EACH; i++) {
        memcpy(buf, &i, sizeof i);
        EXPECT(BYRE_OK, byre_mailbox_send(to, buf, length_of(i), priority_of(i)));
    }
}

static void receive_in_order(const byre_right_t *from)
{
    static unsigned char buf[LONG];
    int last_priority = 7, last[64], number;
    memset(last, -1, sizeof last);
    for (int i = 0; i < EACH * ranks; i++) {
        byre_info_t info;
        EXPECT(BYRE_OK, byre_mailbox_recv(from, buf, sizeof buf, 0, &info));
        memcpy(&number, buf, sizeof number);
        EQUAL(length_of(number), info.bytes);
        EQUAL(priority_of(number), info.port);
        CHECK(info.port <= last_priority);
        if (info.port < last_priority) memset(last, -1, sizeof last);
        last_priority = info.port;
        CHECK(number > last[info.source % 64]);
        last[info.source % 64] = number;
    }
    EXPECT(BYRE_EAGAIN, byre_mailbox_recv(from, buf, sizeof buf, 0, NULL));
}

int main(void)
{
    byre_right_t receive, send;
    start();
    make_mailbox(0, EACH * (size_t)ranks, LONG, BYRE_OVERFLOW_REFUSE, &receive, &send);
    send_mine(&send);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == ranks - 1) receive_in_order(&receive);
    return finish();
}
