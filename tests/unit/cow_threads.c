/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-on-write snapshots, while other threads write, send and end: C1-C4 of runtime/cow_pages.c. */
#include "cow_testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WRITERS = 3, SHOTS = 100 };

static char *arena;
static size_t arena_bytes;
static _Atomic bool over;

static bool may_write(size_t offset)
{
    return !UNDER_TSAN || (offset >= page && arena_bytes - offset > page);
}

/* Each word only grows, and no two snapshots may go backwards: nobody saw an empty page. */
static void *hammer(void *arg)
{
    size_t words = arena_bytes / sizeof(uint64_t);
    unsigned seed = (unsigned)(uintptr_t)arg;

    while (!over) {
        size_t at = (size_t)rand_r(&seed) % words;
        if (at % WRITERS != (uintptr_t)arg || !may_write(at * sizeof(uint64_t))) continue;
        _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)arena + at;
        uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
        if (old == 0) abort();
        atomic_store_explicit(word, old + 1, memory_order_relaxed);
    }
    return NULL;
}

static uint64_t sum_of(const char *at)
{
    const uint64_t *word = (const uint64_t *)(const void *)at;
    uint64_t sum = 0;

    for (size_t i = 0; i < arena_bytes / sizeof *word; i++) {
        if (word[i] == 0) return 0;
        sum = sum * 31 + word[i];
    }
    return sum;
}

/* Several at once of the same buffer, too: the writers are in the way of all of them. */
static void *snapshots_on(void *arg)
{
    const void *image;
    byre__cow_t *cow;

    (void)arg;
    for (int i = 0; i < SHOTS; i++) {
        if (byre__cow_begin(arena, arena_bytes, &cow, &image)) abort();
        uint64_t first = sum_of(image);
        sched_yield();
        if (first == 0 || sum_of(image) != first) abort(); /* the image does not change */
        byre__cow_end(cow);
    }
    return NULL;
}

static void run_hammers(size_t bytes, size_t offset, int shooters)
{
    pthread_t writers[WRITERS], shooter[4];

    arena_bytes = bytes;
    arena = map_bytes(bytes + offset + page) + offset;
    for (size_t i = 0; i < bytes / 8; i++) ((uint64_t *)(void *)arena)[i] = 1;
    for (uintptr_t i = 0; i < WRITERS; i++) pthread_create(&writers[i], NULL, hammer, (void *)i);
    for (int i = 0; i < shooters; i++) pthread_create(&shooter[i], NULL, snapshots_on, NULL);
    for (int i = 0; i < shooters; i++) pthread_join(shooter[i], NULL);
    over = true;
    for (int i = 0; i < WRITERS; i++) pthread_join(writers[i], NULL);
    ck_assert_uint_gt(sum_of(arena), 0);
}

START_TEST(under_writers)
{
    run_hammers(64 * page, 0, 1);
    ck_assert_uint_gt(byre__counters.cow_faults, 0);
}
END_TEST

START_TEST(under_writers_unaligned)
{
    run_hammers(37 * page + 48, 1000, 1);
}
END_TEST

START_TEST(several_under_writers)
{
    run_hammers(20 * page, 16, 3);
}
END_TEST

static void *end_elsewhere(void *cow)
{
    byre__cow_end(cow);
    return NULL;
}

START_TEST(ended_by_another_thread)
{
    char *at = map_bytes(64 * page);
    const char *image;
    pthread_t thread;

    fill(at, 64 * page, 1);
    byre__cow_t *cow = begin(at, 64 * page, &image);
    pthread_create(&thread, NULL, end_elsewhere, cow);
    pthread_join(thread, NULL);
    ck_assert(is_filled(at, 64 * page, 1));
}
END_TEST

/* ---- the suite ---------------------------------------------------------------------------------------------- */

static void add_tests(TCase *tcase, bool proc_mem)
{
    tcase_add_test(tcase, ended_by_another_thread);
    if (UNDER_TSAN && !proc_mem) return;
    tcase_add_test(tcase, under_writers);
    tcase_add_test(tcase, under_writers_unaligned);
    tcase_add_test(tcase, several_under_writers);
}

int main(void)
{
    return run_suite(in_all_ways("cow_threads", add_tests));
}
