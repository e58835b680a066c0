/* SPDX-License-Identifier: BSD-3-Clause */
/* The receive right goes from rank to rank in messages: only the last holder can use it. Who waits on a
 * right that moves, or on a mailbox that is destroyed, is told. */
#include "mailbox_tools.h"
#include <pthread.h>

/* Each rank in turn takes one message, moves the right, finds its own void, and passes it on. */
static void round_trip(void)
{
    byre_right_t receive, send, moved;
    make_mailbox(0, (size_t)ranks + 1, 64, BYRE_OVERFLOW_REFUSE, &receive, &send);
    put_int(&send, 1000 + me, 0);
    EXPECT(BYRE_OK, byre_barrier());
    if (me != 0) EXPECT(BYRE_OK, byre_recv(1, left(), &receive, sizeof receive, NULL));
    CHECK(take_int(&receive) >= 1000);
    EXPECT(BYRE_OK, byre_right_move(&receive, &moved));
    CHECK(moved.key != receive.key);
    EXPECT(BYRE_ERIGHT, byre_mailbox_recv(&receive, &moved.id, sizeof moved.id, 0, NULL));
    EXPECT(BYRE_ERIGHT, byre_right_move(&receive, &receive));
    EXPECT(BYRE_ERIGHT, byre_mailbox_destroy(&receive));
    EXPECT(BYRE_OK, byre_send(at(right(), 1), &moved, sizeof moved));
    if (me == 0) {
        EXPECT(BYRE_OK, byre_recv(1, left(), &receive, sizeof receive, NULL));
        EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&receive, NULL, 0, 0, NULL));
        EXPECT(BYRE_OK, byre_right_move(&receive, &receive)); /* in place */
        put_int(&send, 5, 0);                                 /* the send right is as it was */
        EQUAL(5, take_int(&receive));
        EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_ECLOSED, byre_mailbox_send(&send, "", 1, 0));
}

struct waiter {
    byre_right_t right;
    bool sends;
    size_t bytes;
    int expected;
};

static void *wait_in_vain(void *arg)
{
    struct waiter *waiter = arg;
    char *buf = room_for(waiter->bytes);
    memset(buf, 0, waiter->bytes);
    if (waiter->sends)
        EXPECT(waiter->expected, byre_mailbox_send(&waiter->right, buf, waiter->bytes, 0));
    else
        EXPECT(waiter->expected, byre_mailbox_recv(&waiter->right, buf, waiter->bytes, -1, NULL));
    free(buf);
    return NULL;
}

static void told_of_the_end(void)
{
    byre_right_t receive, send, moved;
    struct waiter waiter;
    pthread_t thread;

    /* receivers on every rank, the right moves */
    make_mailbox(0, 1, 9000, BYRE_OVERFLOW_BLOCK, &receive, &send);
    waiter = (struct waiter){ receive, false, 100, BYRE_ERIGHT };
    CHECK(pthread_create(&thread, NULL, wait_in_vain, &waiter) == 0);
    nap_ms(50);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) EXPECT(BYRE_OK, byre_right_move(&receive, &moved));
    pthread_join(thread, NULL);
    EXPECT(BYRE_OK, byre_barrier());
    share(0, &moved);

    /* receivers, the mailbox is destroyed */
    waiter = (struct waiter){ moved, false, 100, BYRE_ECLOSED };
    CHECK(pthread_create(&thread, NULL, wait_in_vain, &waiter) == 0);
    nap_ms(50);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == ranks - 1) EXPECT(BYRE_OK, byre_mailbox_destroy(&moved));
    pthread_join(thread, NULL);
    EXPECT(BYRE_OK, byre_barrier());

    /* senders, the mailbox is destroyed */
    make_mailbox(0, 1, 9000, BYRE_OVERFLOW_BLOCK, &receive, &send);
    if (me == 0) EXPECT(BYRE_OK, byre_mailbox_send(&send, "full", 4, 7));
    EXPECT(BYRE_OK, byre_barrier());
    waiter = (struct waiter){ send, true, me % 2 ? 100 : 9000, BYRE_ECLOSED };
    CHECK(pthread_create(&thread, NULL, wait_in_vain, &waiter) == 0);
    nap_ms(50);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
    pthread_join(thread, NULL);
    EXPECT(BYRE_OK, byre_barrier());
}

/* Destroyed while everybody sends and receives: nothing hangs, everybody hears of it. */
static void *send_until_closed(void *arg)
{
    const byre_right_t *send = arg;
    char *buf = room_for(30000);
    int error = BYRE_OK;
    memset(buf, 1, 30000);
    for (size_t i = 0; error == BYRE_OK; i++)
        error = byre_mailbox_send(send, buf, i % 3 ? 30000 : 10, (int)(i % 8));
    EQUAL(BYRE_ECLOSED, error);
    free(buf);
    return NULL;
}

static void *receive_until_closed(void *arg)
{
    const byre_right_t *receive = arg;
    char *buf = room_for(30000);
    int error = BYRE_OK;
    while (error == BYRE_OK || error == BYRE_ETIMEOUT)
        error = byre_mailbox_recv(receive, buf, 30000, 5, NULL);
    EQUAL(BYRE_ECLOSED, error);
    free(buf);
    return NULL;
}

static void destroyed_in_use(void)
{
    for (int owner = 0; owner < ranks; owner++) {
        byre_right_t receive, send;
        pthread_t threads[2];
        make_mailbox(owner, 3, 30000, BYRE_OVERFLOW_BLOCK, &receive, &send);
        CHECK(pthread_create(&threads[0], NULL, send_until_closed, &send) == 0);
        CHECK(pthread_create(&threads[1], NULL, receive_until_closed, &receive) == 0);
        nap_ms(100);
        if (me == (owner + 1) % ranks) EXPECT(BYRE_OK, byre_mailbox_destroy(&receive));
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
        EXPECT(BYRE_OK, byre_barrier());
    }
}

int main(void)
{
    start();
    round_trip();
    told_of_the_end();
    destroyed_in_use();
    return finish();
}
