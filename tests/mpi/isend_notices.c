/* SPDX-License-Identifier: BSD-3-Clause */
/* A nonblocking send tells its end by test or wait, a callback, a signal, or an eventfd: exactly once,
 * and then the buffer may be used again. */
#include "testing.h"
#include <errno.h>
#include <sys/eventfd.h>

enum { MESSAGES = 40 };
static const size_t sizes[] = { 0, 8, 5000, 300 * KIB };

static char *out, *in[MESSAGES];
static byre_request_t receives[MESSAGES];
static size_t lengths[MESSAGES];

static _Atomic int told[MESSAGES];
static _Atomic int told_all;

static void begin_to_receive(int port)
{
    for (int i = 0; i < MESSAGES; i++)
        EXPECT(BYRE_OK, byre_irecv(port, left(), in[i], 300 * KIB, &receives[i]));
    EXPECT(BYRE_OK, byre_barrier());
}

static void prepare(int i)
{
    lengths[i] = sizes[(size_t)i % LENGTH(sizes)];
    fill(out + (size_t)i * 300 * KIB, lengths[i], mix3((uint64_t)me, 1, (uint64_t)i));
}

/* The sends are complete as far as their notices say: overwrite, then look at what arrived. */
static void verify(void)
{
    memset(out, 0x55, MESSAGES * 300 * KIB);
    for (int i = 0; i < MESSAGES; i++) {
        byre_info_t info;
        EXPECT(BYRE_OK, byre_wait(&receives[i], &info));
        CHECK(receives[i] == BYRE_REQUEST_NULL);
        EQUAL(lengths[i], info.bytes);
        CHECK(filled(in[i], info.bytes, mix3((uint64_t)left(), 1, (uint64_t)i)));
    }
    EXPECT(BYRE_OK, byre_barrier());
}

static void by_test_and_wait(void)
{
    byre_request_t reqs[MESSAGES];
    begin_to_receive(1);
    for (int i = 0; i < MESSAGES; i++) {
        prepare(i);
        EXPECT(BYRE_OK,
               byre_isend(at(right(), 1), out + (size_t)i * 300 * KIB, lengths[i], NULL, &reqs[i]));
        CHECK(reqs[i] != BYRE_REQUEST_NULL);
    }
    for (int i = 0; i < MESSAGES; i++) {
        if (i % 2) {
            EXPECT(BYRE_OK, byre_wait(&reqs[i], NULL));
        } else {
            int error;
            UNTIL((error = byre_test(&reqs[i], NULL)) != BYRE_EAGAIN);
            EXPECT(BYRE_OK, error);
        }
        CHECK(reqs[i] == BYRE_REQUEST_NULL);
        EXPECT(BYRE_OK, byre_wait(&reqs[i], NULL)); /* a null request completes at once */
        EXPECT(BYRE_OK, byre_test(&reqs[i], NULL));
    }
    verify();
}

static void told_by_callback(int error, void *arg)
{
    EXPECT(BYRE_OK, error);
    int i = (int)((_Atomic int *)arg - told);
    CHECK(i >= 0 && i < MESSAGES);
    /* On the engine: what blocks is refused. */
    EXPECT(BYRE_ECONTEXT, byre_send(at(me, 9), NULL, 0));
    atomic_fetch_add(&told[i], 1);
    atomic_fetch_add(&told_all, 1);
}

static void forget(void)
{
    for (int i = 0; i < MESSAGES; i++) atomic_store(&told[i], 0);
    atomic_store(&told_all, 0);
}

static void once_each(void)
{
    for (int i = 0; i < MESSAGES; i++) EQUAL(1, atomic_load(&told[i]));
}

/* With a request too, and without; the thread computes meanwhile and calls nothing. */
static void by_callback(bool with_request)
{
    byre_request_t reqs[MESSAGES] = { NULL };
    forget();
    begin_to_receive(2);
    for (int i = 0; i < MESSAGES; i++) {
        byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK,
                                 .callback = told_by_callback,
                                 .arg = &told[i] };
        prepare(i);
        EXPECT(BYRE_OK, byre_isend(at(right(), 2), out + (size_t)i * 300 * KIB, lengths[i], &notice,
                                   with_request ? &reqs[i] : NULL));
    }
    UNTIL(atomic_load(&told_all) >= MESSAGES);
    for (int i = 0; i < MESSAGES; i++) EXPECT(BYRE_OK, byre_wait(&reqs[i], NULL));
    once_each();
    verify();
    once_each();
}

#ifndef __SANITIZE_THREAD__
static void told_by_signal(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    atomic_fetch_add((_Atomic int *)info->si_value.sival_ptr, 1);
    atomic_fetch_add(&told_all, 1);
}

static void by_signal(void)
{
    struct sigaction action = { .sa_sigaction = told_by_signal,
                                .sa_flags = SA_SIGINFO | SA_RESTART };
    CHECK(sigaction(SIGRTMIN + 2, &action, NULL) == 0);
    forget();
    begin_to_receive(3);
    for (int i = 0; i < MESSAGES; i++) {
        byre_notice_t notice = { .kind = BYRE_NOTICE_SIGNAL,
                                 .signal = SIGRTMIN + 2,
                                 .arg = &told[i] };
        prepare(i);
        EXPECT(BYRE_OK,
               byre_isend(at(right(), 3), out + (size_t)i * 300 * KIB, lengths[i], &notice, NULL));
    }
    UNTIL(atomic_load(&told_all) >= MESSAGES);
    once_each();
    verify();
    once_each();
}
#endif

static void by_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t ended = 0;
    CHECK(fd >= 0);
    begin_to_receive(4);
    for (int i = 0; i < MESSAGES; i++) {
        byre_notice_t notice = { .kind = BYRE_NOTICE_EVENTFD, .eventfd = fd };
        prepare(i);
        EXPECT(BYRE_OK,
               byre_isend(at(right(), 4), out + (size_t)i * 300 * KIB, lengths[i], &notice, NULL));
    }
    while (ended < MESSAGES) {
        uint64_t more;
        ssize_t got = read(fd, &more, sizeof more);
        CHECK(got == (ssize_t)sizeof more || errno == EINTR);
        if (got > 0) ended += more;
    }
    EQUAL(MESSAGES, ended);
    verify();
    close(fd); /* ours */
}

static void nonsense(void)
{
    byre_request_t req = BYRE_REQUEST_NULL;
    byre_notice_t none = { .kind = BYRE_NOTICE_NONE };
    byre_notice_t no_callback = { .kind = BYRE_NOTICE_CALLBACK };
    byre_notice_t no_signal = { .kind = BYRE_NOTICE_SIGNAL, .signal = 0 };
    byre_notice_t high_signal = { .kind = BYRE_NOTICE_SIGNAL, .signal = 9999 };
    byre_notice_t no_eventfd = { .kind = BYRE_NOTICE_EVENTFD, .eventfd = -1 };
    byre_notice_t no_kind = { .kind = BYRE_NOTICE_NONE };
    int kind = 77;
    memcpy(&no_kind.kind, &kind, sizeof no_kind.kind);

    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, NULL, NULL));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &none, NULL));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &no_callback, &req));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &no_signal, &req));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &high_signal, &req));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &no_eventfd, &req));
    EXPECT(BYRE_EINVAL, byre_isend(at(right(), 5), out, 8, &no_kind, &req));
    CHECK(req == BYRE_REQUEST_NULL);
    /* A notice of no kind is as good as none, when there is a request. */
    EXPECT(BYRE_OK, byre_isend(at(right(), 5), out, 8, &none, &req));
    EXPECT(BYRE_OK, byre_recv(5, left(), in[0], 8, NULL));
    EXPECT(BYRE_OK, byre_wait(&req, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_EAGAIN, byre_poll(5, BYRE_ANY, NULL)); /* what was refused was not sent */
}

int main(void)
{
    start();
    out = room_for(MESSAGES * 300 * KIB);
    for (int i = 0; i < MESSAGES; i++) in[i] = room_for(300 * KIB);
    by_test_and_wait();
    by_callback(false);
    by_callback(true);
#ifndef __SANITIZE_THREAD__ /* it holds signals back, and of several that are pending it keeps one */
    by_signal();
#endif
    by_eventfd();
    nonsense();
    for (int i = 0; i < MESSAGES; i++) free(in[i]);
    free(out);
    return finish();
}
