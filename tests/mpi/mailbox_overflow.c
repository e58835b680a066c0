/* SPDX-License-Identifier: BSD-3-Clause */
/* A full mailbox makes the sender wait, refuses, or drops the oldest message; short messages and long
 * ones, whose place is taken before they have come. */
#include "mailbox_tools.h"
#include <pthread.h>

enum { SHORT = 16, LONG = 20000 };

static void put(const byre_right_t *to, int number, int priority, size_t bytes, int expected)
{
    char *buf = room_for(bytes);
    fill(buf, bytes, (uint64_t)number);
    memcpy(buf, &number, sizeof number);
    EXPECT(expected, byre_mailbox_send(to, buf, bytes, priority));
    free(buf);
}

static int take(const byre_right_t *from, size_t bytes)
{
    char *buf = room_for(LONG), *good = room_for(LONG);
    int number;
    byre_info_t info;
    EXPECT(BYRE_OK, byre_mailbox_recv(from, buf, LONG, -1, &info));
    if (bytes > 0) EQUAL(bytes, info.bytes);
    memcpy(&number, buf, sizeof number);
    fill(good, info.bytes, (uint64_t)number);
    memcpy(good, &number, sizeof number);
    CHECK(memcmp(buf, good, info.bytes) == 0);
    free(buf);
    free(good);
    return number;
}

static void expect_empty(const byre_right_t *from)
{
    EXPECT(BYRE_EAGAIN, byre_mailbox_recv(from, NULL, 0, 0, NULL));
}

static void refuses(int owner, size_t bytes)
{
    byre_right_t receive, send;
    make_mailbox(owner, 3, LONG, BYRE_OVERFLOW_REFUSE, &receive, &send);
    if (me == (owner + 1) % ranks) {
        for (int i = 0; i < 3; i++) put(&send, i, 1, bytes, BYRE_OK);
        put(&send, 3, 7, bytes, BYRE_EAGAIN);
        put(&send, 3, 7, SHORT, BYRE_EAGAIN);
        EQUAL(0, take(&receive, bytes));
        put(&send, 4, 1, bytes, BYRE_OK); /* the place is free as soon as the message is here */
        put(&send, 5, 1, bytes, BYRE_EAGAIN);
        EQUAL(1, take(&receive, bytes));
        EQUAL(2, take(&receive, bytes));
        EQUAL(4, take(&receive, bytes));
        expect_empty(&receive);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

static void drops(int owner, size_t bytes)
{
    byre_right_t receive, send;
    make_mailbox(owner, 3, LONG, BYRE_OVERFLOW_DROP_OLDEST, &receive, &send);
    if (me == (owner + 1) % ranks) {
        for (int i = 0; i < 3; i++) put(&send, i, 2, bytes, BYRE_OK);
        put(&send, 3, 2, bytes, BYRE_OK);     /* 0 goes */
        put(&send, 4, 5, bytes, BYRE_OK);     /* 1 goes */
        put(&send, 5, 1, bytes, BYRE_EAGAIN); /* lower than all: itself */
        put(&send, 6, 7, SHORT, BYRE_OK);     /* 2 goes */
        EQUAL(6, take(&receive, SHORT));
        EQUAL(4, take(&receive, bytes));
        EQUAL(3, take(&receive, bytes));
        expect_empty(&receive);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- the sender waits --------------------------------------------------------------------------- */

struct sender {
    const byre_right_t *to;
    int number, priority;
    size_t bytes;
    _Atomic int sent;
};

static void *send_one(void *arg)
{
    struct sender *sender = arg;
    put(sender->to, sender->number, sender->priority, sender->bytes, BYRE_OK);
    atomic_store(&sender->sent, 1);
    return NULL;
}

/* Those who wait are let in by priority, then in order. */
static void waits(int owner, size_t bytes)
{
    byre_right_t receive, send;
    make_mailbox(owner, 1, LONG, BYRE_OVERFLOW_BLOCK, &receive, &send);
    if (me == (owner + 1) % ranks) {
        struct sender senders[3] = { { &send, 1, 2, bytes, 0 },
                                     { &send, 2, 2, SHORT, 0 },
                                     { &send, 3, 6, bytes, 0 } };
        pthread_t threads[3];
        put(&send, 0, 0, bytes, BYRE_OK);
        for (int i = 0; i < 3; i++) {
            CHECK(pthread_create(&threads[i], NULL, send_one, &senders[i]) == 0);
            nap_ms(60);
        }
        for (int i = 0; i < 3; i++) EQUAL(0, atomic_load(&senders[i].sent));
        EQUAL(0, take(&receive, bytes));
        EQUAL(3, take(&receive, bytes));
        EQUAL(1, take(&receive, bytes));
        EQUAL(2, take(&receive, SHORT));
        for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
        expect_empty(&receive);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

int main(void)
{
    static const size_t sizes[] = { SHORT, LONG };
    start();
    for (int owner = 0; owner < ranks; owner++) {
        for (size_t i = 0; i < LENGTH(sizes); i++) {
            refuses(owner, sizes[i]);
            drops(owner, sizes[i]);
            waits(owner, sizes[i]);
        }
    }
    return finish();
}
