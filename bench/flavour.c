/* SPDX-License-Identifier: BSD-3-Clause */
/* Byre's ways to send and to receive, each so that at its return the messages are through: a buffer
 * that may not be used again is no message sent. */
#include "bench.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static byre_addr_t data_port(const struct pair *pair)
{
    return (byre_addr_t){ pair->peer, PORT_DATA };
}

static void send_blocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_send", byre_send(data_port(pair), pair->out, pair->bytes));
}

static void recv_blocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_recv", byre_recv(PORT_DATA, pair->peer, pair->in, pair->bytes, NULL));
}

static void send_sync(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_send_sync", byre_send_sync(data_port(pair), pair->out, pair->bytes));
}

static void wait_all(struct pair *pair, int count)
{
    if (count == 1)
        check_byre("byre_wait", byre_wait(&pair->requests[0], NULL));
    else
        check_byre("byre_wait_all", byre_wait_all((size_t)count, pair->requests, NULL, NULL));
}

static void send_nonblocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_isend",
                   byre_isend(data_port(pair), pair->out, pair->bytes, NULL, &pair->requests[i]));
    wait_all(pair, count);
}

static void recv_nonblocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_irecv",
                   byre_irecv(PORT_DATA, pair->peer, pair->in, pair->bytes, &pair->requests[i]));
    wait_all(pair, count);
}

/* ---- notices --------------------------------------------------------------------------------- */

static void send_with(struct pair *pair, int count, const byre_notice_t *notice)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_isend", byre_isend(data_port(pair), pair->out, pair->bytes, notice, NULL));
}

static void called_back(int error, void *arg)
{
    check_byre("the callback of byre_isend", error);
    atomic_fetch_add_explicit((atomic_int *)arg, 1, memory_order_release);
}

/* A program with callbacks goes on calling Byre for other things; here byre_poll stands for them. */
static void send_callback(struct pair *pair, int count)
{
    atomic_int through = 0;
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK,
                             .callback = called_back,
                             .arg = &through };

    send_with(pair, count, &notice);
    while (atomic_load_explicit(&through, memory_order_acquire) < count)
        byre_poll(PORT_END, BYRE_ANY, NULL);
}

static void send_eventfd(struct pair *pair, int count)
{
    byre_notice_t notice = { .kind = BYRE_NOTICE_EVENTFD, .eventfd = pair->eventfd };
    eventfd_t through;

    send_with(pair, count, &notice);
    for (int left = count; left > 0; left -= (int)through)
        if (eventfd_read(pair->eventfd, &through)) bench_die("eventfd_read", "failed");
}

int notice_signal(void)
{
    return SIGRTMIN + 7;
}

static void send_signal(struct pair *pair, int count)
{
    byre_notice_t notice = { .kind = BYRE_NOTICE_SIGNAL, .signal = notice_signal() };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, notice_signal());
    send_with(pair, count, &notice);
    for (int i = 0; i < count;) i += sigwaitinfo(&set, NULL) == notice_signal();
}

/* ---- copies ---------------------------------------------------------------------------------- */

static void send_copy(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_isend_copy", byre_isend_copy(data_port(pair), pair->out, pair->bytes));
}

static void begin_cow(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        check_byre("byre_isend_cow", byre_isend_cow(data_port(pair), pair->out, pair->bytes, NULL,
                                                    &pair->requests[i]));
}

static void send_cow(struct pair *pair, int count)
{
    begin_cow(pair, count);
    wait_all(pair, count);
}

/* The sender goes on writing: the first page of each message is written while it is under way. */
static void send_cow_write(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++) {
        check_byre("byre_isend_cow", byre_isend_cow(data_port(pair), pair->out, pair->bytes, NULL,
                                                    &pair->requests[i]));
        if (pair->bytes) ++*(volatile char *)pair->out;
    }
    wait_all(pair, count);
}

/* ---- messages of unknown length -------------------------------------------------------------- */

static void recv_taken(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++) {
        void *message;
        int error, looks = 0;
        while ((error = byre_get_message(PORT_DATA, pair->peer, &message, NULL)) == BYRE_EAGAIN)
            /* The sender may need this core. */
            if (++looks % 64 == 0) sched_yield();
        check_byre("byre_get_message", error);
        free(message);
    }
}

const struct flavour byre_blocking = { "byre_send/recv", send_blocking, recv_blocking, false };
const struct flavour byre_sync = { "byre_send_sync", send_sync, recv_blocking, false };
const struct flavour byre_nonblocking = { "byre_isend/irecv", send_nonblocking, recv_nonblocking,
                                          false };
const struct flavour byre_callback = { "byre_isend, callback", send_callback, recv_nonblocking,
                                       false };
const struct flavour byre_eventfd = { "byre_isend, eventfd", send_eventfd, recv_nonblocking,
                                      false };
const struct flavour byre_signal = { "byre_isend, signal", send_signal, recv_nonblocking, false };
const struct flavour byre_copy = { "byre_isend_copy", send_copy, recv_blocking, false };
const struct flavour byre_cow = { "byre_isend_cow", send_cow, recv_nonblocking, false };
const struct flavour byre_cow_write = { "byre_isend_cow, written", send_cow_write, recv_nonblocking,
                                        false };
const struct flavour byre_posted = { "byre_send/irecv", send_blocking, recv_nonblocking, false };
const struct flavour byre_taken = { "byre_send/get_message", send_blocking, recv_taken, false };
