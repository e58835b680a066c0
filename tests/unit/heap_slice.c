/* SPDX-License-Identifier: BSD-3-Clause */
/* A slice of the shared heap, on addresses that cannot be touched: invariants L1-L4 of dsm/heap_slice.c,
 * R1-R4 of dsm/heap_runs.c. */
#include "dsm/heap_slice.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The address sanitizer walks the stack for each request of the bookkeeping. */
#if defined __SANITIZE_ADDRESS__
enum { MANY = 4000 };
#else
enum { MANY = 20000 };
#endif
enum { PAGE = 4096 };
#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

static byre__slice_t *slice;
static char *base;
static size_t room;

/* Check writes down each assertion that it passes, which is too dear for millions. */
#define MUST(condition)                                       \
    do {                                                      \
        if (!(condition)) ck_abort_msg("not %s", #condition); \
    } while (0)

/* L1: a touch is a crash. */
static void open_slice(size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    base = mmap(NULL, bytes, PROT_NONE, flags, -1, 0);
    ck_assert_ptr_ne(base, MAP_FAILED);
    room = bytes;
    ck_assert_int_eq(byre__slice_create(base, bytes, PAGE, &slice), BYRE_OK);
}

static byre__slice_stats_t stats(void)
{
    byre__slice_stats_t now;
    byre__slice_stats(slice, &now);
    return now;
}

static void check_empty(void)
{
    ck_assert(byre__slice_sound(slice));
    ck_assert_uint_eq(stats().blocks, 0);
    ck_assert_uint_eq(stats().bytes, 0);
    ck_assert_uint_eq(stats().pages, 0);
    ck_assert_uint_eq(stats().free_runs, 1);
}

static void close_slice(void)
{
    byre__slice_destroy(slice);
    ck_assert_int_eq(munmap(base, room), 0);
}

static void *take(size_t bytes)
{
    char *block = byre__slice_take(slice, bytes);
    MUST(block != NULL);
    MUST((uintptr_t)block % (bytes > BYRE__SLICE_SMALL_MAX ? PAGE : 16) == 0);
    MUST(block >= base && bytes <= room && block <= base + room - bytes);
    return block;
}

static void give(const void *block)
{
    MUST(byre__slice_give(slice, block) == BYRE_OK);
}

static void refuse(const void *block)
{
    MUST(byre__slice_give(slice, block) == BYRE_EINVAL);
}

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x ^ (x >> 31)) % below;
}

/* Mostly small ones, as programs have them. */
static size_t draw_bytes(uint64_t *state, size_t most)
{
    static const size_t below[] = { 64, 64, 300, 2100, 5000, 70000, 1000000 };
    size_t bytes = draw(state, below[draw(state, sizeof below / sizeof below[0])]);
    return bytes < most ? bytes : most;
}

/* ---- sizes ------------------------------------------------------------------------------------- */

/* Every size: no shorter than asked for, at most an eighth longer (but for the grain of 16), and
 * blocks next to each other do not overlap. */
START_TEST(every_size)
{
    open_slice(64 * MIB);
    for (size_t bytes = 0; bytes <= BYRE__SLICE_SMALL_MAX + 2 * PAGE; bytes++) {
        char *a = take(bytes), *b = take(bytes);
        size_t each = stats().bytes / 2;
        ck_assert_uint_ge(each, bytes);
        ck_assert_uint_gt(each, 0);
        if (bytes > BYRE__SLICE_SMALL_MAX)
            ck_assert_uint_eq(each, (bytes + PAGE - 1) / PAGE * PAGE);
        else
            ck_assert_uint_le(each, bytes + bytes / 8 + 15 + (bytes == 0));
        ck_assert(a + each <= b || b + each <= a);
        give(a);
        give(b);
    }
    check_empty();
    close_slice();
}
END_TEST

/* Small blocks come close together. */
START_TEST(dense)
{
    open_slice(64 * MIB);
    for (size_t bytes = 16; bytes <= BYRE__SLICE_SMALL_MAX; bytes += 16) {
        enum { BLOCKS = 1000 };
        void *block[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) block[i] = take(bytes);
        size_t pages = stats().pages;
        ck_assert_msg(pages * PAGE <= stats().bytes * 8 / 7 + (size_t)8 * PAGE,
                      "%zu bytes: %zu pages", bytes, pages);
        for (int i = 0; i < BLOCKS; i++) give(block[i]);
    }
    check_empty();
    close_slice();
}
END_TEST

/* ---- against a reference ------------------------------------------------------------------------- */

typedef struct block {
    char *at;
    size_t bytes;
} block_t;

static int by_address(const void *a, const void *b)
{
    const block_t *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void check_apart(const block_t *blocks, size_t count)
{
    block_t *sorted = malloc(count * sizeof *sorted + 1);
    ck_assert_ptr_nonnull(sorted);
    memcpy(sorted, blocks, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_address);
    for (size_t i = 1; i < count; i++) {
        MUST(sorted[i - 1].at != sorted[i].at);
        MUST(sorted[i - 1].at + sorted[i - 1].bytes <= sorted[i].at);
    }
    free(sorted);
}

/* Grows, shrinks, grows; R1 and R2 hold all the time. */
START_TEST(random_blocks)
{
    static block_t blocks[MANY];
    size_t count = 0, bytes = 0;
    uint64_t state = (uint64_t)_i;
    open_slice(GIB);
    for (int step = 0; step < 3 * MANY; step++) {
        bool more = draw(&state, 10) < ((step / (MANY / 4)) % 2 == 0 ? 7 : 3);
        if (count < MANY && (count == 0 || more)) {
            block_t *new = &blocks[count];
            new->bytes = draw_bytes(&state, SIZE_MAX);
            new->at = byre__slice_take(slice, new->bytes);
            if (new->at == NULL) continue;
            ck_assert_uint_eq((uintptr_t) new->at % 16, 0);
            ck_assert(new->at >= base &&new->at + new->bytes <= base + room);
            bytes += new->bytes;
            count++;
        } else {
            size_t which = draw(&state, count);
            give(blocks[which].at);
            bytes -= blocks[which].bytes;
            blocks[which] = blocks[--count];
        }
        if (step % (MANY / 20) != 0) continue;
        check_apart(blocks, count);
        ck_assert(byre__slice_sound(slice));
        ck_assert_uint_eq(stats().blocks, count);
        ck_assert_uint_ge(stats().bytes, bytes);
        ck_assert_uint_ge(stats().pages * PAGE, stats().bytes);
    }
    while (count > 0) {
        size_t which = draw(&state, count);
        give(blocks[which].at);
        blocks[which] = blocks[--count];
    }
    check_empty();
    close_slice();
}
END_TEST

/* ---- the end of memory ------------------------------------------------------------------------------ */

static void fill_up(size_t bytes)
{
    size_t most = room / (bytes < 16 ? 16 : bytes), count = 0;
    void **block = calloc(most + 1, sizeof *block);
    ck_assert_ptr_nonnull(block);
    while ((block[count] = byre__slice_take(slice, bytes)) != NULL) MUST(count++ < most);
    ck_assert_uint_gt(count, 0);
    ck_assert_ptr_null(byre__slice_take(slice, bytes));
    give(block[count / 2]); /* one back, one more */
    ck_assert_ptr_eq(byre__slice_take(slice, bytes), block[count / 2]);
    ck_assert_ptr_null(byre__slice_take(slice, bytes));
    for (size_t i = 0; i < count; i += 2) give(block[i]);
    for (size_t i = 1; i < count; i += 2) give(block[i]);
    free((void *)block);
    check_empty();
}

START_TEST(exhausted)
{
    open_slice(4 * MIB);
    for (size_t bytes = 1; bytes <= room; bytes = bytes * 3 + 1) fill_up(bytes);
    fill_up(room);
    ck_assert_ptr_null(byre__slice_take(slice, room + 1));
    ck_assert_ptr_null(byre__slice_take(slice, SIZE_MAX));
    ck_assert_ptr_null(byre__slice_take(slice, SIZE_MAX - PAGE));
    give(take(room));
    check_empty();
    close_slice();
}
END_TEST

/* A page is enough for a slice. */
START_TEST(one_page)
{
    open_slice(PAGE);
    for (size_t bytes = 1; bytes <= PAGE; bytes++) {
        void *block = byre__slice_take(slice, bytes);
        if (block != NULL) give(block);
        check_empty();
    }
    give(take(PAGE));
    close_slice();
    ck_assert_int_eq(byre__slice_create(NULL, 0, PAGE, &slice), BYRE_EINVAL);
    ck_assert_int_eq(byre__slice_create(NULL, PAGE + 16, PAGE, &slice), BYRE_EINVAL);
    ck_assert_int_eq(byre__slice_create((void *)16, PAGE, PAGE, &slice), BYRE_EINVAL);
}
END_TEST

/* Neighbours join, whatever the order; a hole is used for what fits it best: L4. */
START_TEST(joined_and_reused)
{
    open_slice(64 * MIB);
    char *a = take(10 * PAGE), *b = take(20 * PAGE), *c = take(15 * PAGE), *d = take(PAGE);
    ck_assert(a == base && b == a + 10 * PAGE && c == b + 20 * PAGE && d == c + 15 * PAGE);
    give(a);
    give(c);
    ck_assert_uint_eq(stats().free_runs, 3);
    ck_assert_ptr_eq(take(9 * PAGE), a);
    ck_assert_ptr_eq(take(12 * PAGE), c);
    ck_assert_ptr_eq(take(16 * PAGE), d + PAGE);
    give(d + PAGE);
    give(a);
    give(c);
    give(b);
    ck_assert_uint_eq(stats().free_runs, 2);
    ck_assert_ptr_eq(take(45 * PAGE), a);
    give(a);
    give(d);
    check_empty();
    close_slice();
}
END_TEST

/* Of what fits equally well, the lowest: L4. */
START_TEST(lowest_first)
{
    enum { BLOCKS = 40 };
    char *block[BLOCKS];
    open_slice(64 * MIB);
    for (int i = 0; i < BLOCKS; i++) block[i] = take(3 * PAGE);
    for (int i = 1; i < BLOCKS; i += 2) give(block[i * 7 % BLOCKS]);
    for (int i = 1; i < BLOCKS; i += 2) ck_assert_ptr_eq(take(3 * PAGE), block[i]);
    for (int i = 0; i < BLOCKS; i++) give(block[i]);
    for (int i = 0; i < BLOCKS; i++) block[i] = take(2048); /* two a page */
    for (int i = 1; i < BLOCKS; i += 2) give(block[i * 7 % BLOCKS]);
    for (int i = 1; i < BLOCKS; i += 2) ck_assert_ptr_eq(take(2048), block[i]);
    for (int i = 0; i < BLOCKS; i++) give(block[i]);
    check_empty();
    close_slice();
}
END_TEST

/* Blocks that come and go beside one that stays: the pages stay few, and the lowest. */
START_TEST(stays_low)
{
    uint64_t state = 7;
    void *block[100] = { NULL };
    open_slice(GIB);
    void *stays = take(100);
    for (int i = 0; i < 5 * MANY; i++) {
        size_t which = draw(&state, 100);
        if (block[which] != NULL) give(block[which]);
        block[which] = take(1 + draw(&state, 200));
        MUST((char *)block[which] < base + 64 * PAGE);
    }
    for (int i = 0; i < 100; i++)
        if (block[i] != NULL) give(block[i]);
    give(stays);
    check_empty();
    close_slice();
}
END_TEST

/* 64 GiB of addresses: what is written down follows what is in use. */
START_TEST(vast)
{
    open_slice(64 * GIB);
    char *first = take(1), *huge = take(40 * GIB), *last = take(20 * GIB);
    ck_assert_ptr_null(byre__slice_take(slice, 20 * GIB));
    ck_assert(first < huge && huge + 40 * GIB <= last);
    refuse(huge + 20 * GIB);
    give(huge);
    ck_assert_ptr_eq(take(30 * GIB), huge);
    give(huge);
    give(first);
    give(last);
    check_empty();
    close_slice();
}
END_TEST

/* ---- what is no block ------------------------------------------------------------------------------- */

START_TEST(no_blocks)
{
    open_slice(64 * MIB);
    char *small = take(48), *middle = take(1400), *large = take(5 * PAGE);
    refuse(NULL);
    refuse(base - 16);
    refuse(base + room);
    refuse(base + room - PAGE);
    refuse(&slice);
    for (int i = 1; i < 48; i++) refuse(small + i);
    refuse(small + 48);                        /* free */
    refuse(small + (ptrdiff_t)PAGE / 48 * 48); /* the rest of the slab */
    for (int i = 16; i < 1400; i += 16) refuse(middle + i);
    for (int i = 16; i < 5 * PAGE; i += 16) refuse(large + i);
    ck_assert_uint_eq(stats().blocks, 3);
    ck_assert(byre__slice_sound(slice));
    give(small);
    give(middle);
    give(large);
    refuse(small);
    refuse(middle);
    refuse(large);
    check_empty();
    close_slice();
}
END_TEST

/* With other blocks of its slab and without; of the same slab again. */
START_TEST(freed_twice)
{
    open_slice(MIB);
    void *a = take(100), *b = take(100);
    give(a);
    refuse(a);
    ck_assert_ptr_eq(take(100), a);
    give(a);
    give(b);
    refuse(a);
    refuse(b);
    a = take(PAGE * 2);
    b = take(PAGE * 2);
    give(a);
    refuse(a);
    give(b);
    refuse(b);
    refuse(a);
    check_empty();
    close_slice();
}
END_TEST

/* Nothing leaks (the sanitizer looks). */
START_TEST(destroyed_in_use)
{
    uint64_t state = 3;
    open_slice(GIB);
    for (int i = 0; i < 1000; i++) {
        void *block = take(draw_bytes(&state, SIZE_MAX));
        if (i % 3 == 0) give(block);
    }
    close_slice();
    open_slice(PAGE); /* all of it is taken */
    (void)take(PAGE);
    close_slice();
    byre__slice_destroy(NULL);
}
END_TEST

/* ---- threads ------------------------------------------------------------------------------------------ */

enum { THREADS = 4, SHELF = 64 };

/* A thread puts blocks there for another one to give back. */
static void *_Atomic shelf[SHELF];

static void *trade(void *arg)
{
    uint64_t state = (uintptr_t)arg;
    for (int i = 0; i < MANY; i++) {
        void *block = byre__slice_take(slice, draw_bytes(&state, 50000));
        if (block == NULL) abort();
        block = atomic_exchange(&shelf[draw(&state, SHELF)], block);
        if (block != NULL && byre__slice_give(slice, block) != BYRE_OK) abort();
    }
    return NULL;
}

START_TEST(threads)
{
    pthread_t thread[THREADS];
    open_slice(GIB);
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, trade, (void *)(i * 1000)), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    ck_assert(byre__slice_sound(slice));
    for (int i = 0; i < SHELF; i++)
        if (atomic_load(&shelf[i]) != NULL) give(atomic_load(&shelf[i]));
    check_empty();
    close_slice();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap_slice");
    TCase *tests = tcase_create("heap_slice");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, every_size);
    tcase_add_test(tests, dense);
    tcase_add_loop_test(tests, random_blocks, 0, 4);
    tcase_add_test(tests, exhausted);
    tcase_add_test(tests, one_page);
    tcase_add_test(tests, joined_and_reused);
    tcase_add_test(tests, lowest_first);
    tcase_add_test(tests, stays_low);
    tcase_add_test(tests, vast);
    tcase_add_test(tests, no_blocks);
    tcase_add_test(tests, freed_twice);
    tcase_add_test(tests, destroyed_in_use);
    tcase_add_test(tests, threads);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
