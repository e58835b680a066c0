/* SPDX-License-Identifier: BSD-3-Clause */
/* A lane: what goes in comes out, in order and whole, however small the room; a sender without room is
 * told when there is some; and a thread (a process) at each end. */
#include "lane.h"
#include "suite.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static byre__lane_out_t out;
static byre__lane_in_t in;
static void *lane;

static void open_lane(int credits)
{
    lane =
        mmap(NULL, byre__lane_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(lane, MAP_FAILED);
    byre__lane_open_out(&out, lane, credits);
    byre__lane_open_in(&in, lane, credits);
}

static void close_lane(void)
{
    ck_assert_int_eq(munmap(lane, byre__lane_bytes()), 0);
}

/* What message n looks like: its lengths and bytes are functions of n. */
static size_t inline_bytes(uint32_t n)
{
    static const size_t sizes[] = { 0, 1, 8, 31, 32, 33, 63, 64, 65, 500, 4095, BYRE_AM_INLINE };
    return sizes[n * 7u % (sizeof sizes / sizeof sizes[0])];
}

static size_t bulk_bytes(uint32_t n)
{
    static const size_t sizes[] = { 0, 0, 1, 64, 4096, BYRE__LANE_BULK };
    return sizes[n * 5u % (sizeof sizes / sizeof sizes[0])];
}

static void fill(unsigned char *at, size_t bytes, uint32_t n)
{
    for (size_t i = 0; i < bytes; i++) at[i] = (unsigned char)(n * 31u + i * 7u);
}

static bool filled(const unsigned char *at, size_t bytes, uint32_t n)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != (unsigned char)(n * 31u + i * 7u)) return false;
    return true;
}

static bool put(uint32_t n)
{
    static unsigned char data[BYRE_AM_INLINE], bulk[BYRE__LANE_BULK];
    size_t bulky = bulk_bytes(n);
    byre__am_wire_t wire = { .id = (uint8_t)n, .bytes = (uint16_t)inline_bytes(n), .call = n };
    fill(data, wire.bytes, n);
    fill(bulk, bulky, n + 1);
    if (bulky > 0) {
        wire.flags = BYRE__AM_BULKY | BYRE__AM_ALONG;
        wire.call = byre__bulk_word(bulky, n);
    }
    return byre__lane_put(&out, &wire, data, bulk, bulky);
}

/* Is the oldest message n, and whole? */
static bool is(const byre__lane_message_t *message, uint32_t n)
{
    const byre__am_wire_t *wire = message->wire;
    size_t bulky = byre__bulk_along(wire);
    return wire->id == (uint8_t)n && wire->bytes == inline_bytes(n) && bulky == bulk_bytes(n) &&
           filled(message->data, wire->bytes, n) && filled(message->bulk, bulky, n + 1);
}

START_TEST(one_at_a_time)
{
    byre__lane_message_t message;
    open_lane(64);
    ck_assert(!byre__lane_get(&in, &message));
    for (uint32_t n = 0; n < 5000; n++) { /* many times round both rings */
        ck_assert(put(n));
        ck_assert(byre__lane_get(&in, &message));
        ck_assert(is(&message, n));
        ck_assert(byre__lane_get(&in, &message)); /* borrowed, not taken */
        (void)byre__lane_drop(&in);
        ck_assert(!byre__lane_get(&in, &message));
    }
    close_lane();
}
END_TEST

/* Full, then empty, again and again: nothing is overwritten, and no message more than the credits. */
START_TEST(full_and_empty)
{
    int credits = _i;
    uint32_t sent = 0, received = 0;
    byre__lane_message_t message;
    open_lane(credits);
    for (int round = 0; round < 200; round++) {
        uint32_t before = sent;
        while (put(sent)) sent++;
        ck_assert_uint_gt(sent, before); /* an empty lane has room for any message */
        ck_assert_uint_le(sent - received, (uint32_t)credits);
        for (; received < sent; received++) {
            ck_assert(byre__lane_get(&in, &message));
            ck_assert(is(&message, received));
            (void)byre__lane_drop(&in);
        }
    }
    close_lane();
}
END_TEST

/* Whoever found no room is told at the latest when all is free. */
START_TEST(hungry_sender_is_told)
{
    uint32_t sent = 0, told = 0;
    byre__lane_message_t message;
    open_lane(_i);
    for (int round = 0; round < 50; round++) {
        while (put(sent)) sent++;
        ck_assert(!byre__lane_has_room(&out) || inline_bytes(sent) + bulk_bytes(sent) > 0);
        bool wakes = false;
        while (byre__lane_get(&in, &message)) wakes = byre__lane_drop(&in) || wakes;
        ck_assert(wakes);
        told++;
        ck_assert(byre__lane_has_room(&out));
        /* With room there is nothing to be told of. */
        ck_assert(put(sent));
        sent++;
        ck_assert(byre__lane_get(&in, &message));
        ck_assert(!byre__lane_drop(&in));
    }
    ck_assert_uint_eq(told, 50);
    close_lane();
}
END_TEST

enum { MANY = 100000 };

static void send_many(void)
{
    for (uint32_t n = 0; n < MANY; n++)
        while (!put(n)) sched_yield();
}

static bool receive_many(void)
{
    byre__lane_message_t message;
    for (uint32_t n = 0; n < MANY; n++) {
        while (!byre__lane_get(&in, &message)) sched_yield();
        if (!is(&message, n)) return false;
        (void)byre__lane_drop(&in);
    }
    return true;
}

static void *sender(void *arg)
{
    send_many();
    return arg;
}

START_TEST(two_threads)
{
    pthread_t thread;
    open_lane(_i);
    ck_assert_int_eq(pthread_create(&thread, NULL, sender, NULL), 0);
    ck_assert(receive_many());
    pthread_join(thread, NULL);
    close_lane();
}
END_TEST

START_TEST(two_processes)
{
    open_lane(64);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        send_many();
        _exit(0);
    }
    ck_assert(receive_many());
    int status = 1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    close_lane();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lane");
    TCase *tests = tcase_create("lane");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, one_at_a_time);
    tcase_add_loop_test(tests, full_and_empty, 2, 9);
    tcase_add_test(tests, two_processes);
    tcase_add_loop_test(tests, hungry_sender_is_told, 2, 70);
    tcase_add_loop_test(tests, two_threads, 2, 4);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
