/* SPDX-License-Identifier: BSD-3-Clause */
/* A receive that gives up: not early, and a message that comes at that very moment is received or
 * stays, but is not lost. */
#include "mailbox_tools.h"

enum { EACH = 150 };

static void gives_up_in_time(const byre_right_t *receive)
{
    char buf[8];
    EXPECT(BYRE_EAGAIN, byre_mailbox_recv(receive, buf, sizeof buf, 0, NULL));
    double before = now_s();
    EXPECT(BYRE_ETIMEOUT, byre_mailbox_recv(receive, buf, sizeof buf, 80, NULL));
    double took = now_s() - before;
    CHECK(took >= 0.079);
    CHECK(took < 5); /* a loaded machine */
}

static void send_slowly(const byre_right_t *send)
{
    uint64_t dice = (uint64_t)me;
    char *buf = room_for(9000);
    for (int i = 0; i < EACH; i++) {
        memcpy(buf, &i, sizeof i);
        EXPECT(BYRE_OK, byre_mailbox_send(send, buf, draw(&dice, 4) == 0 ? 9000 : 8, 1));
        if (draw(&dice, 2)) nap_ms((int)draw(&dice, 4));
    }
    free(buf);
}

static void receive_impatiently(const byre_right_t *receive, int senders)
{
    int next[64] = { 0 }, got = 0, number;
    char *buf = room_for(9000);
    uint64_t dice = 4711;
    while (got < senders * EACH) {
        byre_info_t info;
        int error = byre_mailbox_recv(receive, buf, 9000, (int)draw(&dice, 4), &info);
        if (error == BYRE_ETIMEOUT || error == BYRE_EAGAIN) continue;
        EXPECT(BYRE_OK, error);
        memcpy(&number, buf, sizeof number);
        EQUAL(next[info.source % 64]++, number);
        got++;
    }
    EXPECT(BYRE_ETIMEOUT, byre_mailbox_recv(receive, buf, 9000, 1, NULL));
    free(buf);
}

int main(void)
{
    byre_right_t receive, send;
    start();
    make_mailbox(0, ranks == 1 ? EACH : 4, 9000, BYRE_OVERFLOW_BLOCK, &receive, &send);
    if (me == ranks - 1) gives_up_in_time(&receive);
    EXPECT(BYRE_OK, byre_barrier());
    if (ranks == 1 || me != ranks - 1) send_slowly(&send);
    if (me == ranks - 1) receive_impatiently(&receive, ranks == 1 ? 1 : ranks - 1);
    return finish();
}
