/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of all ranks to a mailbox, wherever it is and whoever receives: each arrives once, those of
 * one sender in order. Then arguments that make no sense. */
#include "mailbox_tools.h"

enum { EACH = 100 };

static size_t length_of(int number)
{
    return (size_t)(number * 7 % 300);
}

static void send_mine(const byre_right_t *to)
{
    unsigned char buf[304];
    for (int i = 0; i < EACH; i++) {
        memcpy(buf, &i, sizeof i);
        fill(buf + sizeof i, length_of(i), mix3((uint64_t)me, (uint64_t)i, 0));
        EXPECT(BYRE_OK, byre_mailbox_send(to, buf, sizeof i + length_of(i), 3));
    }
}

static void receive_all(const byre_right_t *from, int senders)
{
    unsigned char buf[304];
    int next[64] = { 0 };
    for (int i = 0; i < senders * EACH; i++) {
        byre_info_t info;
        int number;
        EXPECT(BYRE_OK, byre_mailbox_recv(from, buf, sizeof buf, -1, &info));
        CHECK(info.source >= 0 && info.source < ranks);
        EQUAL(3, info.port);
        memcpy(&number, buf, sizeof number);
        EQUAL(next[info.source % 64]++, number);
        EQUAL(sizeof number + length_of(number), info.bytes);
        CHECK(filled(buf + sizeof number, length_of(number),
                     mix3((uint64_t)info.source, (uint64_t)number, 0)));
    }
    EXPECT(BYRE_EAGAIN, byre_mailbox_recv(from, buf, sizeof buf, 0, NULL));
}

/* `owner` keeps the mailbox, `receiver` empties it, all others (or the only one) fill it. */
static void all_to_one(int owner, int receiver)
{
    byre_right_t receive, send;
    make_mailbox(owner, ranks > 1 ? 5 : EACH, 304, BYRE_OVERFLOW_BLOCK, &receive, &send);
    if (ranks == 1 || me != receiver) send_mine(&send);
    if (me == receiver) {
        receive_all(&receive, ranks == 1 ? 1 : ranks - 1);
        EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
        EXPECT(BYRE_ECLOSED, byre_mailbox_destroy(&receive));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_ECLOSED, byre_mailbox_send(&send, NULL, 0, 0));
}

static void bad_arguments(void)
{
    byre_right_t receive, send, odd;
    char buf[8] = { 0 };
    EXPECT(BYRE_EINVAL, byre_mailbox_create(0, 8, BYRE_OVERFLOW_BLOCK, &receive, &send));
    EXPECT(BYRE_EINVAL,
           byre_mailbox_create(1, (size_t)1 << 31, BYRE_OVERFLOW_BLOCK, &receive, &send));
    EXPECT(BYRE_EINVAL, byre_mailbox_create(1, 8, (byre_overflow_t)3, &receive, &send));
    EXPECT(BYRE_EINVAL, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, NULL, &send));
    EXPECT(BYRE_EINVAL, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &receive, NULL));
    EXPECT(BYRE_OK, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &receive, &send));
    EXPECT(BYRE_EINVAL, byre_mailbox_send(NULL, buf, 8, 0));
    EXPECT(BYRE_EINVAL, byre_mailbox_send(&send, NULL, 8, 0));
    EXPECT(BYRE_ERANGE, byre_mailbox_send(&send, buf, 8, 8));
    EXPECT(BYRE_ERANGE, byre_mailbox_send(&send, buf, 8, -1));
    EXPECT(BYRE_ERANGE, byre_mailbox_send(&send, "123456789", 9, 0));
    EXPECT(BYRE_ERIGHT, byre_mailbox_send(&receive, buf, 8, 0));
    EXPECT(BYRE_ERIGHT, byre_mailbox_recv(&send, buf, 8, 0, NULL));
    EXPECT(BYRE_EINVAL, byre_mailbox_recv(&receive, NULL, 8, 0, NULL));
    EXPECT(BYRE_EINVAL, byre_mailbox_recv(NULL, buf, 8, 0, NULL));
    EXPECT(BYRE_ERIGHT, byre_mailbox_destroy(&send));
    EXPECT(BYRE_EINVAL, byre_mailbox_destroy(NULL));
    EXPECT(BYRE_EINVAL, byre_right_move(&receive, NULL));
    odd = send;
    odd.owner = ranks;
    EXPECT(BYRE_ERIGHT, byre_mailbox_send(&odd, buf, 8, 0));
    odd.owner = -1;
    EXPECT(BYRE_ERIGHT, byre_mailbox_send(&odd, buf, 8, 0));
    odd = send;
    odd.key++;
    EXPECT(BYRE_ERIGHT, byre_mailbox_send(&odd, buf, 8, 0));
    odd = send;
    odd.id += 1000; /* one that there never was */
    EXPECT(BYRE_ERIGHT, byre_mailbox_send(&odd, buf, 8, 0));
    EXPECT(BYRE_OK, byre_mailbox_send(&send, buf, 8, 7)); /* nothing of all that is in it */
    EXPECT(BYRE_OK, byre_mailbox_recv(&receive, buf, 8, 0, NULL));
    EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&receive, buf, 8, 0, NULL));
    EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
}

static byre_right_t for_handler;
static _Atomic int handled;

static void in_handler(const byre_am_t *am, void *arg)
{
    byre_right_t receive, send;
    (void)am, (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &receive, &send));
    EXPECT(BYRE_ECONTEXT, byre_mailbox_send(&for_handler, NULL, 0, 0));
    EXPECT(BYRE_ECONTEXT, byre_mailbox_recv(&for_handler, NULL, 0, 0, NULL));
    EXPECT(BYRE_ECONTEXT, byre_mailbox_destroy(&for_handler));
    EXPECT(BYRE_ECONTEXT, byre_right_move(&for_handler, &receive));
    atomic_store(&handled, 1);
}

static void from_a_handler(void)
{
    byre_right_t send;
    EXPECT(BYRE_OK, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &for_handler, &send));
    EXPECT(BYRE_OK, byre_am_register(1, in_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_send(me, 1, NULL, 0, NULL, 0));
    UNTIL(atomic_load(&handled));
    EXPECT(BYRE_OK, byre_mailbox_destroy(&for_handler));
}

/* Ids are found again among many mailboxes, of which some have gone. */
static void many_mailboxes(void)
{
    enum { MANY = 100 };
    byre_right_t receive[MANY], send[MANY];
    for (int i = 0; i < MANY; i++) {
        EXPECT(BYRE_OK, byre_mailbox_create(2, 8, BYRE_OVERFLOW_REFUSE, &receive[i], &send[i]));
        put_int(&send[i], i, 0);
    }
    for (int i = 0; i < MANY; i += 3) EXPECT(BYRE_OK, byre_mailbox_destroy(&receive[i]));
    for (int i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            EXPECT(BYRE_ECLOSED, byre_mailbox_recv(&receive[i], NULL, 0, -1, NULL));
        else
            EQUAL(i, take_int(&receive[i]));
    }
    /* the rest, one of them full, is freed by byre_finalize */
    put_int(&send[1], 1, 0);
    put_int(&send[1], 1, 0);
}

int main(void)
{
    byre_right_t receive, send = { .owner = 0, .rights = BYRE_RIGHT_SEND };
    EXPECT(BYRE_ESTATE, byre_mailbox_create(1, 8, BYRE_OVERFLOW_BLOCK, &receive, &send));
    EXPECT(BYRE_ESTATE, byre_mailbox_send(&send, NULL, 0, 0));
    start();
    for (int owner = 0; owner < ranks; owner++) {
        all_to_one(owner, owner);
        all_to_one(owner, (owner + 1) % ranks);
    }
    bad_arguments();
    from_a_handler();
    many_mailboxes();
    int status = finish();
    EXPECT(BYRE_ESTATE, byre_mailbox_recv(&for_handler, NULL, 0, 0, NULL));
    return status;
}
