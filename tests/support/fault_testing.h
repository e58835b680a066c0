/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of the SIGSEGV dispatcher share: fault.c, fault_others.c. */
#ifndef FAULT_TESTING_H
#define FAULT_TESTING_H

#include "runtime/fault.h"

#include <byre_errors.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* ThreadSanitizer delivers signals itself: no fault inside a handler, an errno of its own, and what a
 * resolver may do beyond the letter of async-signal-safety it reports. */
#ifdef __SANITIZE_THREAD__
enum { UNDER_TSAN = 1 };
#else
enum { UNDER_TSAN = 0 };
#endif

static size_t page;

static inline char *map_pages(size_t pages, int prot)
{
    char *at = mmap(NULL, pages * page, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* Sanitizers have a handler of their own: what is tested is the default below ours. */
static inline void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static inline void init(void)
{
    ck_assert_int_eq(byre__fault_init(), BYRE_OK);
}

/* An access that the compiler cannot leave out, nor a sanitizer examine. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static inline char
touch_read(const char *at)
{
    return *(const volatile char *)at;
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static inline void
touch_write(char *at, char value)
{
    *(volatile char *)at = value;
}

static struct {
    _Atomic unsigned calls;
    _Atomic unsigned writes;
    _Atomic bool in_runtime;
    _Atomic uintptr_t addr;
} seen;

/* Opens the page. */
static inline bool open_page(const byre__fault_t *fault, void *arg)
{
    char *at = (char *)(fault->addr & ~(page - 1));

    (void)arg;
    seen.calls++;
    seen.writes += fault->write;
    seen.addr = fault->addr;
    seen.in_runtime = fault->in_runtime;
    errno = EDOM;
    return mprotect(at, page, PROT_READ | PROT_WRITE) == 0;
}

static inline bool refuse(const byre__fault_t *fault, void *arg)
{
    (void)fault;
    (void)arg;
    return false;
}

static inline int run_tests(const char *name, void (*add_tests)(TCase *tcase))
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 30);
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
