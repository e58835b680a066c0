/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of copy-on-write snapshots share: cow.c, cow_threads.c, cow_limits.c, cow_cost.c. */
#ifndef COW_TESTING_H
#define COW_TESTING_H

#include "runtime/cow.h"
#include "runtime/counters.h"
#include "runtime/cow_pages.h"
#include "runtime/fault.h"
#include "runtime/maps.h"

#include <byre_errors.h>
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sanitizers map memory themselves and make mlock do nothing: what counts mappings, uses them up, or locks
 * is left out. ThreadSanitizer does not see what system calls do to memory, and rightly calls it a race
 * when a buffer is sent that others write to: writers then stay in the whole pages. */
#if defined __SANITIZE_THREAD__
enum { SANITIZED = 1, UNDER_TSAN = 1 };
#elif defined __SANITIZE_ADDRESS__
enum { SANITIZED = 1, UNDER_TSAN = 0 };
#else
enum { SANITIZED = 0, UNDER_TSAN = 0 };
#endif

static size_t page;

static inline void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    signal(SIGSEGV, SIG_DFL);
    ck_assert_int_eq(byre__fault_init(), BYRE_OK);
}

static inline void setup_without_proc_mem(void)
{
    setup();
    byre__cow_no_proc_mem = true;
}

static inline void setup_maps_as_text(void)
{
    setup();
    byre__maps_as_text = true;
}

static inline void teardown(void)
{
    ck_assert_int_eq(byre__cow_live, 0);
}

static inline char *map_bytes(size_t bytes)
{
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* Every eight bytes tell where they are. */
static inline void fill(char *at, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++) at[i] = (char)(seed + i + (i >> 8) * 7 + (i >> 12) * 13);
}

static inline bool is_filled(const char *at, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != (char)(seed + i + (i >> 8) * 7 + (i >> 12) * 13)) return false;
    return true;
}

static inline byre__cow_t *begin(const void *buf, size_t bytes, const char **image_out)
{
    byre__cow_t *cow = NULL;
    const void *image = NULL;

    ck_assert_int_eq(byre__cow_begin(buf, bytes, &cow, &image), BYRE_OK);
    ck_assert_ptr_nonnull(cow);
    *image_out = image;
    return cow;
}

static inline int begin_error(const void *buf, size_t bytes)
{
    byre__cow_t *cow = NULL;
    const void *image = NULL;
    int error = byre__cow_begin(buf, bytes, &cow, &image);

    if (error == BYRE_OK) byre__cow_end(cow);
    return error;
}

/* An access that writes what is there. */
static inline void touch(char *at)
{
    volatile char *byte = at;
    char value = *byte;

    *byte = value;
}

static inline bool kernel_can_read(const char *at, size_t bytes)
{
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    bool can = write(pipes[1], at, bytes) == (ssize_t)bytes;
    close(pipes[0]);
    close(pipes[1]);
    return can;
}

static inline void expect_copied(char *at, size_t bytes)
{
    uint64_t copied = byre__counters.cow_copied_sends;
    const char *image;
    byre__cow_t *cow = begin(at, bytes, &image);

    ck_assert_uint_eq(byre__counters.cow_copied_sends, copied + 1);
    ck_assert_ptr_ne(image, at);
    ck_assert_int_eq(memcmp(image, at, bytes), 0);
    byre__cow_end(cow);
}

/* An empty case with a limit of time. */
static inline TCase *new_case(const char *name, void (*fixture)(void))
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, fixture, teardown);
    tcase_set_timeout(tcase, 60);
    return tcase;
}

/* The behaviour must be the same however the kernel is asked. proc_mem: by /proc/self/mem. */
static inline Suite *in_all_ways(const char *name, void (*add_tests)(TCase *tcase, bool proc_mem))
{
    static const struct {
        const char *name;
        void (*fixture)(void);
    } ways[] = { { "usual", setup },
                 { "without /proc/self/mem", setup_without_proc_mem },
                 { "maps as text", setup_maps_as_text } };
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        TCase *tcase = new_case(ways[i].name, ways[i].fixture);
        add_tests(tcase, ways[i].fixture != setup_without_proc_mem);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
