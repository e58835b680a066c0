/* SPDX-License-Identifier: BSD-3-Clause */
/* Copy-on-write snapshots at the limits of the kernel, and with what programs do besides: C5 and C6 of
 * runtime/cow_pages.c. */
#include "cow_testing.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { WRITERS = 3 };

/* Uses up all mappings but about `leave`: neighbours differ, so that they do not merge. False: there are
 * too many. */
static bool use_up_mappings(unsigned leave)
{
    enum { MOST = 300000 };
    char *at =
        mmap(NULL, MOST * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    size_t i = 1;

    ck_assert_ptr_ne(at, MAP_FAILED);
    while (i < MOST && mprotect(at + i * page, page, PROT_READ) == 0) i += 2;
    for (unsigned j = 0; j < leave; j++) mprotect(at + (i - 2 * (j + 1)) * page, page, PROT_NONE);
    if (i >= MOST) puts("cow: vm.max_map_count is too high to be tested");
    return i < MOST;
}

/* C6: with no mapping left to split, the first access brings everything home. */
START_TEST(no_mappings_left)
{
    char *at = map_bytes(640 * page);
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    bool used_up = use_up_mappings(0);
    at[100 * page] = 1;
    at[300 * page] = 1;
    ck_assert_int_eq(at[300 * page], 1);
    ck_assert_int_ne(image[300 * page - 9], 1);
    if (used_up) ck_assert(kernel_can_read(at + 500 * page, page));
    byre__cow_end(cow);
    if (used_up) expect_copied(at + 9, 630 * page);
}
END_TEST

static _Atomic int ready;

static void *touch_every_chunk(void *at)
{
    ready++;
    while (ready <= WRITERS) sched_yield();
    for (size_t i = 0; i < 40; i++) *(volatile char *)((char *)at + i * 16 * page) = 3;
    return NULL;
}

/* One brings everything home, the others wait for it. */
START_TEST(no_mappings_left_for_several)
{
    char *at = map_bytes(640 * page);
    pthread_t threads[WRITERS];
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at, 640 * page, &image);
    for (int i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, touch_every_chunk, at);
    while (ready < WRITERS) sched_yield();
    use_up_mappings(0);
    ready++;
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    ck_assert(is_filled(image, 640 * page, 1));
    for (size_t i = 0; i < 40; i++) ck_assert_int_eq(at[i * 16 * page], 3);
    byre__cow_end(cow);
}
END_TEST

START_TEST(no_mappings_left_at_the_end)
{
    char *at = map_bytes(640 * page);
    const char *image;

    fill(at, 640 * page, 1);
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    touch(at + 100 * page);
    use_up_mappings(0);
    byre__cow_end(cow);
    ck_assert(is_filled(at, 640 * page, 1));
}
END_TEST

START_TEST(few_mappings_left)
{
    char *at = map_bytes(640 * page);

    fill(at, 640 * page, 1);
    use_up_mappings((unsigned)_i);
    const char *image;
    byre__cow_t *cow = begin(at + 9, 630 * page, &image);
    touch(at + 100 * page);
    touch(at + 300 * page);
    byre__cow_end(cow);
    ck_assert(is_filled(at, 640 * page, 1));
}
END_TEST

START_TEST(no_address_space)
{
    struct rlimit limit;
    size_t bytes = (size_t)32 << 20;
    char *at = map_bytes(bytes);

    fill(at, bytes, 1);
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes; /* less than is in use */
    setrlimit(RLIMIT_AS, &limit);
    int error = begin_error(at, bytes);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_AS, &limit);
    ck_assert_int_eq(error, BYRE_ENOMEM);
    ck_assert(is_filled(at, bytes, 1));
}
END_TEST

/* The library's mremap, by which pages leave and come home: refuses from the given call on, or only it. */
static _Atomic int refuse_from = -1, refuse_only = -1, mremap_calls;

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
void *mremap(void *from, size_t old_bytes, size_t new_bytes, int flags, ...)
{
    int call = mremap_calls++;
    va_list more;

    if (call == refuse_only || (refuse_from >= 0 && call >= refuse_from)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    va_start(more, flags);
    long at = syscall(SYS_mremap, from, old_bytes, new_bytes, flags, va_arg(more, void *));
    va_end(more);
    return (void *)at;
}

/* Three mappings to be moved there and back. */
static void send_with_refusals(void)
{
    char *at = map_bytes(100 * page);
    const char *image;

    fill(at, 100 * page, 1);
    madvise(at + 16 * page, 48 * page, MADV_DONTFORK);
    mremap_calls = 0;
    byre__cow_t *cow = begin(at, 100 * page, &image);
    ck_assert(is_filled(image, 100 * page, 1));
    at[20 * page]++;
    ck_assert(is_filled(image, 100 * page, 1));
    at[20 * page]--;
    byre__cow_end(cow);
    ck_assert(is_filled(at, 100 * page, 1));
    ck_assert(kernel_can_read(at, page));
    ck_assert(kernel_can_read(at + 99 * page, page));
}

START_TEST(moves_refused)
{
    refuse_from = _i;
    send_with_refusals();
    refuse_from = -1;
    refuse_only = _i;
    send_with_refusals();
}
END_TEST

/* Nothing helps: the program is told why, and dies of its access. */
static void touch_without_way_out(void)
{
    const char *image;
    char *at = map_bytes(64 * page);

    byre__cow_no_proc_mem = true;
    begin(at, 64 * page, &image);
    if (use_up_mappings(0)) at[20 * page] = 1;
    kill(getpid(), SIGSEGV);
}

START_TEST(no_way_out)
{
    struct rlimit none = { 0, 0 };
    int status, pipes[2];
    char text[512] = "";

    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        dup2(pipes[1], STDERR_FILENO);
        touch_without_way_out();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    ck_assert_int_gt(read(pipes[0], text, sizeof text - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "vm.max_map_count"));
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

/* C5: what the application protects itself is not given back to it. */
START_TEST(own_protection)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit none = { 0, 0 };
        const char *image;
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        char *at = map_bytes(8 * page);
        begin(at, 8 * page, &image);
        at[0] = 1;
        mprotect(at, page, PROT_READ);
        at[0] = 2;
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}
END_TEST

/* The child's accesses are its own affair. */
START_TEST(forked)
{
    char *at = map_bytes(64 * page);
    const char *image;
    int status;

    fill(at, 64 * page, 1);
    byre__cow_t *cow = begin(at, 64 * page, &image);
    char first = at[0];
    at[0] = 5;
    pid_t child = fork();
    if (child == 0) {
        at[0] = first;
        if (!is_filled(at, 64 * page, 1)) _exit(1);
        memset(at, 9, 64 * page);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(at[0], 5);
    at[0] = first;
    ck_assert(is_filled(at, 64 * page, 1));
    ck_assert(is_filled(image, 64 * page, 1));
    byre__cow_end(cow);
}
END_TEST

/* ---- the suite ---------------------------------------------------------------------------------------------- */

int main(void)
{
    TCase *tcase = new_case("limits", setup);
    Suite *suite = suite_create("cow_limits");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, own_protection);
    tcase_add_test(tcase, forked);
    tcase_add_loop_test(tcase, moves_refused, 0, 8);
    if (!SANITIZED) {
        tcase_add_test(tcase, no_way_out);
        tcase_add_test(tcase, no_mappings_left);
        tcase_add_test(tcase, no_mappings_left_for_several);
        tcase_add_test(tcase, no_mappings_left_at_the_end);
        tcase_add_loop_test(tcase, few_mappings_left, 0, 12);
        tcase_add_test(tcase, no_address_space);
    }
    return run_suite(suite);
}
