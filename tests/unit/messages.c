/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages on the loopback transport: a rank that talks to itself, in every way there is. */
#include "suite.h"

#include <byre.h>
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define OK(call) ck_assert_int_eq(call, BYRE_OK)

static const byre_addr_t self = { 0, 1 };
static const size_t sizes[] = { 0, 1, 8, 100, 4095, 4096, 4097, 70000, 1 << 20 };
enum { SIZES = sizeof sizes / sizeof sizes[0], LARGEST = 1 << 20 };

static char *out, *in;

static void setup(void)
{
    setenv("BYRE_TRANSPORT", "loopback", 1);
    OK(byre_init());
    out = malloc(LARGEST);
    in = malloc(LARGEST);
}

static void teardown(void)
{
    OK(byre_finalize());
    free(out);
    free(in);
}

static void fill(void *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++) ((unsigned char *)buf)[i] = (unsigned char)(i * 31 + seed);
}

static bool filled(const void *buf, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const unsigned char *)buf)[i] != (unsigned char)(i * 31 + seed)) return false;
    return true;
}

static void check_info(const byre_info_t *info, size_t bytes)
{
    ck_assert_int_eq(info->source, 0);
    ck_assert_int_eq(info->port, self.port);
    ck_assert_uint_eq(info->bytes, bytes);
}

static void *send_in_background(void *arg)
{
    size_t bytes = *(size_t *)arg;
    OK(bytes % 2 ? byre_send_sync(self, out, bytes) : byre_send(self, out, bytes));
    return NULL;
}

START_TEST(every_length)
{
    size_t bytes = sizes[_i];
    byre_request_t req;
    byre_info_t info;
    pthread_t thread;

    fill(out, bytes, 1);
    pthread_create(&thread, NULL, send_in_background, &bytes); /* it may be a rendezvous */
    OK(byre_recv(self.port, 0, in, LARGEST, &info));
    pthread_join(thread, NULL);
    check_info(&info, bytes);
    ck_assert(filled(in, bytes, 1));

    /* The receive is there first, then the message is. */
    for (int first = 0; first < 2; first++) {
        byre_request_t send;
        fill(out, bytes, 2);
        if (first) OK(byre_irecv(self.port, BYRE_ANY, in, LARGEST, &req));
        OK(byre_isend(self, out, bytes, NULL, &send));
        if (!first) OK(byre_irecv(self.port, BYRE_ANY, in, LARGEST, &req));
        OK(byre_wait(&req, &info));
        OK(byre_wait(&send, NULL));
        check_info(&info, bytes);
        ck_assert(filled(in, bytes, 2));
    }

    fill(out, bytes, 3);
    OK(byre_isend_copy(self, out, bytes));
    memset(out, 0, bytes);
    OK(byre_recv(self.port, BYRE_ANY, in, bytes, &info));
    check_info(&info, bytes);
    ck_assert(filled(in, bytes, 3));

    fill(out, bytes, 4);
    OK(byre_isend_cow(self, out, bytes, NULL, &req));
    memset(out, 0, bytes);
    OK(byre_recv(self.port, BYRE_ANY, in, bytes, &info));
    OK(byre_wait(&req, NULL));
    ck_assert(filled(in, bytes, 4));
    for (size_t i = 0; i < bytes; i++) ck_assert_int_eq(out[i], 0);

    void *message = NULL;
    ck_assert_int_eq(byre_poll(self.port, BYRE_ANY, &info), BYRE_EAGAIN);
    ck_assert_int_eq(byre_get_message(self.port, BYRE_ANY, &message, &info), BYRE_EAGAIN);
    fill(out, bytes, 5);
    OK(byre_isend_copy(self, out, bytes));
    OK(byre_poll(self.port, 0, &info));
    check_info(&info, bytes);
    OK(byre_get_message(self.port, 0, &message, &info));
    check_info(&info, bytes);
    ck_assert_ptr_nonnull(message);
    ck_assert(filled(message, bytes, 5));
    free(message);
}
END_TEST

START_TEST(in_order)
{
    for (int i = 0; i < 200; i++) {
        size_t bytes = sizeof i + (i % 10 == 0 ? 5000 : 0);
        memcpy(out, &i, sizeof i);
        OK(byre_isend_copy(self, out, bytes));
    }
    for (int i = 0; i < 200; i++) {
        int number = -1;
        byre_info_t info;
        if (i % 3 == 0) {
            void *message;
            OK(byre_get_message(self.port, BYRE_ANY, &message, &info));
            memcpy(&number, message, sizeof number);
            free(message);
        } else {
            OK(byre_recv(self.port, i % 3 == 1 ? 0 : BYRE_ANY, in, LARGEST, &info));
            memcpy(&number, in, sizeof number);
        }
        ck_assert_int_eq(number, i);
    }
}
END_TEST

START_TEST(truncation)
{
    size_t bytes = sizes[_i];
    byre_info_t info;
    byre_request_t req;
    if (bytes == 0) return;

    fill(out, bytes, 6);
    OK(byre_isend_copy(self, out, bytes));
    OK(byre_isend_copy(self, "behind", 6));
    ck_assert_int_eq(byre_recv(self.port, 0, in, bytes - 1, &info), BYRE_ETRUNC);
    check_info(&info, bytes);
    ck_assert_int_eq(byre_recv(self.port, BYRE_ANY, NULL, 0, &info), BYRE_ETRUNC);
    check_info(&info, bytes);
    OK(byre_poll(self.port, BYRE_ANY, &info));
    check_info(&info, bytes);
    OK(byre_irecv(self.port, 0, in, bytes, &req));
    OK(byre_wait(&req, &info));
    check_info(&info, bytes);
    ck_assert(filled(in, bytes, 6));
    OK(byre_recv(self.port, BYRE_ANY, in, 6, NULL));
    ck_assert_mem_eq(in, "behind", 6);
    uint64_t kept = 0;
    OK(byre_counter_get("msg_kept", &kept));
    ck_assert_uint_gt(kept, 0);
}
END_TEST

static _Atomic int told;

static void tell(int error, void *arg)
{
    if (error == BYRE_OK && arg == &told) atomic_fetch_add(&told, 1);
}

START_TEST(notices)
{
    int fd = eventfd(0, 0);
    byre_notice_t by_callback = { .kind = BYRE_NOTICE_CALLBACK, .callback = tell, .arg = &told };
    byre_notice_t by_eventfd = { .kind = BYRE_NOTICE_EVENTFD, .eventfd = fd };
    byre_request_t req;
    uint64_t count = 0;

    fill(out, LARGEST, 7);
    OK(byre_isend(self, out, LARGEST, &by_callback, &req));
    OK(byre_recv(self.port, 0, in, LARGEST, NULL));
    OK(byre_wait(&req, NULL));
    while (atomic_load(&told) == 0) sched_yield();
    ck_assert_int_eq(atomic_load(&told), 1);
    OK(byre_isend(self, out, LARGEST, &by_eventfd, NULL));
    OK(byre_recv(self.port, 0, in, LARGEST, NULL));
    ck_assert_int_eq(read(fd, &count, sizeof count), sizeof count);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(byre_isend(self, out, 1, NULL, NULL), BYRE_EINVAL);
    close(fd);
}
END_TEST

START_TEST(cancel)
{
    byre_request_t reqs[3];
    for (int i = 0; i < 3; i++) OK(byre_irecv(self.port, 0, in, i == 2 ? LARGEST : 4, &reqs[i]));
    OK(byre_cancel(&reqs[0]));
    OK(byre_cancel(&reqs[2]));
    ck_assert_int_eq(byre_wait(&reqs[0], NULL), BYRE_ECANCELED);
    ck_assert_int_eq(byre_wait(&reqs[2], NULL), BYRE_ECANCELED);
    OK(byre_send(self, "four", 4));
    OK(byre_wait(&reqs[1], NULL));
    ck_assert_mem_eq(in, "four", 4);
    ck_assert_int_eq(byre_cancel(&reqs[1]), BYRE_EINVAL);
}
END_TEST

START_TEST(any_and_all)
{
    byre_request_t reqs[4] = { NULL };
    int got[4], errors[4], one = 1;
    size_t index = 9;
    byre_info_t infos[4];

    for (int i = 0; i < 4; i++) OK(byre_irecv(10 + i, 0, &got[i], sizeof got[i], &reqs[i]));
    ck_assert_int_eq(byre_test_any(4, reqs, &index, NULL), BYRE_EAGAIN);
    OK(byre_send((byre_addr_t){ 0, 12 }, &one, sizeof one));
    OK(byre_wait_any(4, reqs, &index, &infos[0]));
    ck_assert_uint_eq(index, 2);
    ck_assert_int_eq(infos[0].port, 12);
    ck_assert_int_eq(byre_test_all(4, reqs, errors, infos), BYRE_EAGAIN);
    for (int i = 0; i < 4; i++)
        if (i != 2) OK(byre_send((byre_addr_t){ 0, 10 + i }, &one, sizeof one));
    OK(byre_wait_all(4, reqs, errors, infos));
    for (int i = 0; i < 4; i++) {
        ck_assert_ptr_null(reqs[i]);
        OK(errors[i]);
        if (i != 2) ck_assert_int_eq(infos[i].port, 10 + i);
        ck_assert_int_eq(got[i], 1);
    }
    ck_assert_int_eq(byre_wait_any(4, reqs, &index, NULL), BYRE_EINVAL);
    OK(byre_test_all(4, reqs, NULL, NULL));
}
END_TEST

static void answer(void *msg, const byre_info_t *info, void *arg)
{
    (void)arg;
    OK(byre_send((byre_addr_t){ info->source, 2 }, msg, info->bytes));
}

START_TEST(popups)
{
    int sum = 0;
    OK(byre_send(self, &sum, sizeof sum)); /* was there before */
    OK(byre_port_popup(self.port, answer, NULL));
    ck_assert_int_eq(byre_port_popup(self.port, answer, NULL), BYRE_EEXIST);
    ck_assert_int_eq(byre_recv(self.port, 0, in, 4, NULL), BYRE_EBUSY);
    for (int i = 1; i < 100; i++) OK(byre_isend_copy(self, &i, sizeof i));
    for (int i = 0; i < 100; i++) {
        int number;
        OK(byre_recv(2, 0, &number, sizeof number, NULL));
        sum += number;
    }
    ck_assert_int_eq(sum, 99 * 100 / 2);
    OK(byre_port_popup(self.port, NULL, NULL));
    ck_assert_int_eq(byre_port_popup(self.port, NULL, NULL), BYRE_ENOTFOUND);
}
END_TEST

static char place_for_bulk[LARGEST];

static void *place(const byre_am_t *am, void *arg)
{
    (void)arg;
    return am->bulk_bytes <= sizeof place_for_bulk ? place_for_bulk : NULL;
}

static void handler(const byre_am_t *am, void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    if (am->call != 0) OK(byre_am_reply(am, am->data, am->bytes));
    if (am->bulk_bytes > 0 && am->bulk == place_for_bulk)
        ck_assert(filled(am->bulk, am->bulk_bytes, 8));
}

START_TEST(active_messages)
{
    _Atomic int handled = 0;
    size_t bytes = 0;
    OK(byre_am_register(5, handler, place, &handled));
    ck_assert_int_eq(byre_am_register(5, handler, NULL, NULL), BYRE_EEXIST);
    for (int i = 0; i < 500; i++) OK(byre_am_send(0, 5, &i, sizeof i, NULL, 0));
    while (atomic_load(&handled) < 500) sched_yield();
    for (int i = 0; i < 100; i++) {
        int reply = -1;
        OK(byre_am_request(0, 5, &i, sizeof i, &reply, sizeof reply, &bytes));
        ck_assert_int_eq(reply, i);
        ck_assert_uint_eq(bytes, sizeof reply);
    }
    fill(out, LARGEST, 8);
    OK(byre_am_send(0, 5, NULL, 0, out, LARGEST));
    while (atomic_load(&handled) < 601) sched_yield();
    ck_assert(filled(place_for_bulk, LARGEST, 8));
    ck_assert_int_eq(byre_am_request(0, 6, NULL, 0, NULL, 0, NULL), BYRE_ENOTFOUND);
    ck_assert_int_eq(byre_am_request(0, 5, "abcd", 4, in, 2, &bytes), BYRE_ETRUNC);
    ck_assert_uint_eq(bytes, 4);
    ck_assert_mem_eq(in, "ab", 2);
}
END_TEST

START_TEST(bad_arguments)
{
    byre_request_t req = BYRE_REQUEST_NULL;
    ck_assert_int_eq(byre_send((byre_addr_t){ 1, 1 }, "x", 1), BYRE_ERANK);
    ck_assert_int_eq(byre_send((byre_addr_t){ -1, 1 }, "x", 1), BYRE_ERANK);
    ck_assert_int_eq(byre_send((byre_addr_t){ 0, -1 }, "x", 1), BYRE_EPORT);
    ck_assert_int_eq(byre_send(self, NULL, 1), BYRE_EINVAL);
    ck_assert_int_eq(byre_recv(-1, 0, in, 1, NULL), BYRE_EPORT);
    ck_assert_int_eq(byre_recv(1, 1, in, 1, NULL), BYRE_ERANK);
    ck_assert_int_eq(byre_irecv(1, 0, NULL, 1, &req), BYRE_EINVAL);
    ck_assert_int_eq(byre_irecv(1, 0, in, 1, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre_am_send(1, 0, NULL, 0, NULL, 0), BYRE_ERANK);
    ck_assert_int_eq(byre_am_send(0, BYRE_AM_IDS, NULL, 0, NULL, 0), BYRE_ERANGE);
    ck_assert_ptr_null(req);
    ck_assert_int_eq(byre_poll(1, BYRE_ANY, NULL), BYRE_EAGAIN);
}
END_TEST

/* Several threads at once, each to itself. */
static void *talk_to_oneself(void *arg)
{
    int port = *(int *)arg;
    char *room = malloc(20000);
    for (int i = 0; i < 300; i++) {
        size_t bytes = i % 5 == 0 ? 20000 : (size_t)i;
        char *mine = malloc(bytes + 1);
        byre_request_t send;
        fill(mine, bytes, (unsigned)(port + i));
        OK(byre_isend((byre_addr_t){ 0, port }, mine, bytes, NULL, &send));
        OK(byre_recv(port, 0, room, 20000, NULL));
        OK(byre_wait(&send, NULL));
        ck_assert(filled(room, bytes, (unsigned)(port + i)));
        free(mine);
    }
    free(room);
    return NULL;
}

START_TEST(threads)
{
    enum { THREADS = 4 };
    pthread_t running[THREADS];
    int ports[THREADS];
    for (int t = 0; t < THREADS; t++) {
        ports[t] = 20 + t;
        ck_assert_int_eq(pthread_create(&running[t], NULL, talk_to_oneself, &ports[t]), 0);
    }
    for (int t = 0; t < THREADS; t++) pthread_join(running[t], NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("messages");
    TCase *tcase = tcase_create("messages");
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, every_length, 0, SIZES);
    tcase_add_test(tcase, in_order);
    tcase_add_loop_test(tcase, truncation, 0, SIZES);
    tcase_add_test(tcase, notices);
    tcase_add_test(tcase, cancel);
    tcase_add_test(tcase, any_and_all);
    tcase_add_test(tcase, popups);
    tcase_add_test(tcase, active_messages);
    tcase_add_test(tcase, bad_arguments);
    tcase_add_test(tcase, threads);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
