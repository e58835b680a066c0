/* SPDX-License-Identifier: BSD-3-Clause */
/* The owner of a mailbox is killed while others wait for a message, and for room for a short and for a
 * long one: each is told, within the bound. Prints a line for each rank that is content. */
#include "../mpi/mailbox_tools.h"
#include <pthread.h>

enum { LONG = 200000 };

struct waiter {
    byre_right_t right;
    size_t bytes;
    bool sends;
    int timeout_ms;
    double ended;
};

static void *wait_for_the_dead(void *arg)
{
    struct waiter *waiter = arg;
    char *buf = room_for(LONG);
    memset(buf, 0, LONG);
    if (waiter->sends)
        EXPECT(BYRE_EPEER, byre_mailbox_send(&waiter->right, buf, waiter->bytes, 1));
    else
        EXPECT(BYRE_EPEER, byre_mailbox_recv(&waiter->right, buf, LONG, waiter->timeout_ms, NULL));
    waiter->ended = now_s();
    free(buf);
    return NULL;
}

static void later_calls(const byre_right_t *receive, const byre_right_t *send)
{
    byre_right_t moved;
    char buf[4] = { 0 };
    EXPECT(BYRE_EPEER, byre_mailbox_send(send, buf, sizeof buf, 0));
    EXPECT(BYRE_EPEER, byre_mailbox_recv(receive, buf, sizeof buf, -1, NULL));
    EXPECT(BYRE_EPEER, byre_mailbox_recv(receive, buf, sizeof buf, 0, NULL));
    EXPECT(BYRE_EPEER, byre_right_move(receive, &moved));
    EXPECT(BYRE_EPEER, byre_mailbox_destroy(receive));
}

int main(void)
{
    byre_right_t receive, send, full_receive, full_send;
    start();
    make_mailbox(0, 1, LONG, BYRE_OVERFLOW_BLOCK, &receive, &send);
    make_mailbox(0, 1, LONG, BYRE_OVERFLOW_BLOCK, &full_receive, &full_send);
    if (me == 0) EXPECT(BYRE_OK, byre_mailbox_send(&full_send, "full", 4, 0));
    EXPECT(BYRE_OK, byre_barrier());
    double bound = byre_failure_bound_ms() / 1000.0, died = now_s() + 0.3;
    if (me == 0) {
        nap_ms(300);
        kill(getpid(), SIGKILL);
    }
    struct waiter waiters[] = { { receive, LONG, false, -1, 0 },
                                { receive, LONG, false, 60000, 0 },
                                { full_send, 8, true, 0, 0 },
                                { full_send, LONG, true, 0, 0 } };
    pthread_t threads[LENGTH(waiters)];
    for (size_t i = 0; i < LENGTH(waiters); i++)
        CHECK(pthread_create(&threads[i], NULL, wait_for_the_dead, &waiters[i]) == 0);
    for (size_t i = 0; i < LENGTH(waiters); i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < LENGTH(waiters); i++)
        CHECK(waiters[i].ended - died < bound + 3); /* and what a loaded machine adds */
    later_calls(&receive, &full_send);
    printf("content: rank %d\n", me);
    fflush(stdout);
    EXPECT(BYRE_OK, byre_finalize());
    return 0;
}
