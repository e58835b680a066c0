/* SPDX-License-Identifier: BSD-3-Clause */
/* The SIGSEGV dispatcher and its resolvers: F1-F8 of runtime/fault.c; fault_others.c has what is not theirs. */
#include "fault_testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

START_TEST(resolved)
{
    char *at = map_pages(3, PROT_NONE);

    init();
    ck_assert_int_eq(byre__fault_register(at, 3 * page, open_page, NULL), BYRE_OK);
    errno = ERANGE;
    touch_write(at + page + 5, 7);
    ck_assert_int_eq(errno, ERANGE); /* F7 */
    ck_assert_uint_eq(seen.calls, 1);
    ck_assert_uint_eq(seen.writes, 1);
    ck_assert_uint_eq(seen.addr, (uintptr_t)(at + page + 5));
    ck_assert(!seen.in_runtime);
    ck_assert_int_eq(touch_read(at + page + 5), 7);
    ck_assert_uint_eq(seen.calls, 1);

    byre__inside_enter();
    ck_assert_int_eq(touch_read(at + 3 * page - 1), 0);
    byre__inside_leave();
    ck_assert_uint_eq(seen.calls, 2);
    ck_assert_uint_eq(seen.writes, 1); /* a read is told from a write */
    ck_assert(seen.in_runtime);
    ck_assert_int_eq(byre__fault_unregister(at), BYRE_OK);
    byre__fault_fini();
}
END_TEST

START_TEST(registration_errors)
{
    char *at = map_pages(8, PROT_NONE);

    ck_assert_int_eq(byre__fault_register(at, 0, open_page, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre__fault_register(at, page, NULL, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre__fault_register(at, SIZE_MAX, open_page, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre__fault_register(at + 2 * page, 2 * page, open_page, NULL), BYRE_OK);
    ck_assert_int_eq(byre__fault_register(at + 3 * page, page, open_page, NULL), BYRE_EEXIST);
    ck_assert_int_eq(byre__fault_register(at + page, 2 * page, open_page, NULL), BYRE_EEXIST);
    ck_assert_int_eq(byre__fault_register(at, 8 * page, open_page, NULL), BYRE_EEXIST);
    ck_assert_int_eq(byre__fault_register(at, 2 * page, open_page, NULL), BYRE_OK);
    ck_assert_int_eq(byre__fault_register(at + 4 * page, page, open_page, NULL), BYRE_OK);
    ck_assert_int_eq(byre__fault_unregister(at + page), BYRE_ENOTFOUND);
    ck_assert_int_eq(byre__fault_unregister(at + 2 * page), BYRE_OK);
    ck_assert_int_eq(byre__fault_unregister(at + 2 * page), BYRE_ENOTFOUND);
    ck_assert_int_eq(byre__fault_unregister(at), BYRE_OK);
    ck_assert_int_eq(byre__fault_unregister(at + 4 * page), BYRE_OK);
}
END_TEST

/* In an order that is neither up nor down. */
START_TEST(many_ranges)
{
    enum { RANGES = 1009 };
    char *at = map_pages(2 * RANGES, PROT_NONE);

    init();
    for (size_t i = 0; i < RANGES; i++)
        ck_assert_int_eq(
            byre__fault_register(at + 2 * (i * 271 % RANGES) * page, page, open_page, NULL),
            BYRE_OK);
    for (size_t i = 0; i < RANGES; i++) touch_write(at + 2 * i * page, 1);
    ck_assert_uint_eq(seen.calls, RANGES);
    for (size_t i = 0; i < RANGES; i++)
        ck_assert_int_eq(byre__fault_unregister(at + 2 * (i * 577 % RANGES) * page), BYRE_OK);
}
END_TEST

/* A resolver may fault itself. */
static char *second;
static bool open_after_second(const byre__fault_t *fault, void *arg)
{
    touch_write(second, 3);
    return open_page(fault, arg);
}

START_TEST(nested)
{
    char *first = map_pages(1, PROT_NONE);

    second = map_pages(1, PROT_NONE);
    init();
    byre__fault_register(first, page, open_after_second, NULL);
    byre__fault_register(second, page, open_page, NULL);
    touch_write(first, 1);
    ck_assert_uint_eq(seen.calls, 2);
}
END_TEST

/* F3, and a resolver may unregister another range while it runs. */
static _Atomic int stage;
static bool slow(const byre__fault_t *fault, void *arg)
{
    if (byre__fault_unregister(arg) != BYRE_OK) abort();
    stage = 1;
    usleep(50 * 1000);
    stage = 2;
    return open_page(fault, arg);
}

static void *touch_thread(void *at)
{
    touch_write(at, 1);
    return NULL;
}

START_TEST(unregister_waits)
{
    char *at = map_pages(2, PROT_NONE);
    pthread_t thread;

    init();
    byre__fault_register(at, page, slow, at + page);
    byre__fault_register(at + page, page, open_page, NULL);
    pthread_create(&thread, NULL, touch_thread, at);
    while (stage == 0) sched_yield();
    ck_assert_int_eq(byre__fault_unregister(at), BYRE_OK);
    ck_assert_int_eq(stage, 2);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- many threads ------------------------------------------------------------------------------ */

enum { THREADS = 4, ROUNDS = 2000 };

/* All fault on the same pages, at once. */
static void *touch_all(void *arg)
{
    char *at = arg;

    for (size_t i = 0; i < 500; i++) touch_write(at + i * page, 1);
    return NULL;
}

START_TEST(threads_at_once)
{
    char *at = map_pages(500, PROT_NONE);
    pthread_t threads[THREADS];

    init();
    byre__fault_register(at, 500 * page, open_page, NULL);
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, touch_all, at);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_uint_ge(seen.calls, 500);
    ck_assert_int_eq(byre__fault_unregister(at), BYRE_OK);
}
END_TEST

/* Each its own range, coming and going. */
static void *come_and_go(void *arg)
{
    char *at = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        mprotect(at, page, PROT_NONE);
        if (byre__fault_register(at, page, open_page, NULL)) abort();
        touch_write(at, (char)i);
        if (byre__fault_unregister(at)) abort();
    }
    return NULL;
}

START_TEST(registration_under_load)
{
    pthread_t threads[THREADS];

    init();
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, come_and_go, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_uint_eq(seen.calls, THREADS * ROUNDS);
}
END_TEST

/* F6: the range goes away under threads that have faulted in it. Were one of these faults passed on,
 * the process would die. */
static _Atomic bool over;
static bool try_again(const byre__fault_t *fault, void *arg)
{
    (void)fault;
    (void)arg;
    seen.calls++;
    return true;
}

static void *touch_on(void *at)
{
    while (!over) touch_write(at, 1);
    return NULL;
}

START_TEST(stale_faults)
{
    char *at = map_pages(1, PROT_READ | PROT_WRITE);
    pthread_t threads[THREADS];

    init();
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, touch_on, at);
    for (int i = 0; i < ROUNDS; i++) {
        ck_assert_int_eq(byre__fault_register(at, page, try_again, NULL), BYRE_OK);
        mprotect(at, page, PROT_NONE);
        if (i % 64 == 0) usleep(100);
        mprotect(at, page, PROT_READ | PROT_WRITE);
        ck_assert_int_eq(byre__fault_unregister(at), BYRE_OK);
    }
    over = true;
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}
END_TEST

/* ---- signals besides ---------------------------------------------------------------------------- */

/* F4: signals of others wait until the access is done. */
static _Atomic bool interrupted;
static void on_alarm(int number)
{
    (void)number;
    interrupted = true;
}

static bool signal_oneself(const byre__fault_t *fault, void *arg)
{
    raise(SIGUSR1);
    if (interrupted) return false;
    return open_page(fault, arg);
}

START_TEST(signals_wait)
{
    char *at = map_pages(1, PROT_NONE);

    signal(SIGUSR1, on_alarm);
    init();
    byre__fault_register(at, page, signal_oneself, NULL);
    touch_write(at, 1);
    ck_assert(interrupted);
}
END_TEST

START_TEST(alternate_stack)
{
    stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
    char *at = map_pages(1, PROT_NONE);

    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    init();
    byre__fault_register(at, page, open_page, NULL);
    touch_write(at, 1);
    ck_assert_uint_eq(seen.calls, 1);
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    free(stack.ss_sp);
}
END_TEST

/* ---- the suite ---------------------------------------------------------------------------------- */

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, resolved);
    tcase_add_test(tcase, registration_errors);
    tcase_add_test(tcase, many_ranges);
    tcase_add_test(tcase, threads_at_once);
    tcase_add_test(tcase, registration_under_load);
    tcase_add_test(tcase, stale_faults);
    tcase_add_test(tcase, signals_wait);
    tcase_add_test(tcase, alternate_stack);
    if (UNDER_TSAN) return;
    tcase_add_test(tcase, nested);
    tcase_add_test(tcase, unregister_waits);
}

int main(void)
{
    return run_tests("fault", add_tests);
}
