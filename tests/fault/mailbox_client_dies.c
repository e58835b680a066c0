/* SPDX-License-Identifier: BSD-3-Clause */
/* A client of a mailbox is killed. First it is stopped, so that what the owner sends it is under way
 * for sure: messages that were handed to it are received by another, in their order; a place that it
 * was granted is free again; messages for which it waited for room are not sent. Rank 0 owns the
 * mailbox, rank 1 is killed, rank 2 goes on. Prints a line for each rank that is content. */
#include "../mpi/mailbox_tools.h"
#include <pthread.h>
#include <sys/types.h>

enum { LONG = 200000, MESSAGES = 3 };

static pid_t victim;

static void swap_pids(void)
{
    if (me == 1) {
        pid_t mine = getpid();
        EXPECT(BYRE_OK, byre_send(at(0, 1), &mine, sizeof mine));
    }
    if (me == 0) EXPECT(BYRE_OK, byre_recv(1, 1, &victim, sizeof victim, NULL));
}

static void send_filled(const byre_right_t *to, int number, size_t bytes)
{
    char *buf = room_for(bytes);
    fill(buf, bytes, (uint64_t)number);
    EXPECT(BYRE_OK, byre_mailbox_send(to, buf, bytes, 2));
    free(buf);
}

static void receive_filled(const byre_right_t *from, int number, size_t bytes)
{
    char *buf = room_for(LONG);
    byre_info_t info;
    EXPECT(BYRE_OK, byre_mailbox_recv(from, buf, LONG, 20000, &info));
    EQUAL(bytes, info.bytes);
    CHECK(filled(buf, bytes, (uint64_t)number));
    free(buf);
}

static void *receive_in_vain(void *arg)
{
    (void)byre_mailbox_recv(arg, room_for(LONG), LONG, -1, NULL);
    failed(__FILE__, __LINE__, "the victim received");
}

static void *send_in_vain(void *arg)
{
    (void)byre_mailbox_send(arg, room_for(LONG), LONG, 7);
    failed(__FILE__, __LINE__, "the victim sent");
}

static void die_waiting(void *(*first)(void *), byre_right_t *first_right, int count,
                        void *(*second)(void *), byre_right_t *second_right)
{
    pthread_t thread;
    for (int i = 0; i < count; i++) CHECK(pthread_create(&thread, NULL, first, first_right) == 0);
    CHECK(pthread_create(&thread, NULL, second, second_right) == 0);
    for (;;) pause();
}

int main(void)
{
    byre_right_t receive, send, full_receive, full_send;
    start();
    EQUAL(3, ranks);
    make_mailbox(0, MESSAGES, LONG, BYRE_OVERFLOW_REFUSE, &receive, &send);
    make_mailbox(0, 1, LONG, BYRE_OVERFLOW_BLOCK, &full_receive, &full_send);
    if (me == 0) send_filled(&full_send, 100, 10);
    swap_pids();
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 1) die_waiting(receive_in_vain, &receive, MESSAGES, send_in_vain, &full_send);
    if (me == 0) {
        nap_ms(500); /* until all its threads wait here */
        CHECK(kill(victim, SIGSTOP) == 0);
        nap_ms(50);
        for (int i = 0; i < MESSAGES; i++) send_filled(&send, i, i == 1 ? LONG : 10);
        EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&receive, NULL, 0, 0, NULL)); /* all handed over */
        for (int i = 0; i < MESSAGES; i++) send_filled(&send, MESSAGES + i, 20);
        receive_filled(&full_receive, 100, 10); /* the place is granted to the victim */
        EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&full_receive, NULL, 0, 0, NULL));
        CHECK(kill(victim, SIGKILL) == 0);
        send_filled(&full_send, 101, LONG); /* waits until the victim's place is free */
        EQUAL(1, byre_peer_failed(1));
        EXPECT(BYRE_OK, byre_send(at(2, 2), NULL, 0));
        EXPECT(BYRE_OK, byre_recv(2, 2, NULL, 0, NULL));
    } else {
        EXPECT(BYRE_OK, byre_recv(2, 0, NULL, 0, NULL));
        for (int i = 0; i < MESSAGES; i++) receive_filled(&receive, i, i == 1 ? LONG : 10);
        for (int i = 0; i < MESSAGES; i++) receive_filled(&receive, MESSAGES + i, 20);
        EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&receive, NULL, 0, 0, NULL));
        receive_filled(&full_receive, 101, LONG);
        EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&full_receive, NULL, 0, 0, NULL));
        EXPECT(BYRE_OK, byre_send(at(0, 2), NULL, 0));
    }
    printf("content: rank %d\n", me);
    fflush(stdout);
    EXPECT(BYRE_OK, byre_finalize());
    return 0;
}
