/* SPDX-License-Identifier: BSD-3-Clause */
/* The SIGSEGV dispatcher among others: faults that are nobody's, handlers that were there before, and those that came
 * later. */
#include "fault_testing.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- faults that are nobody's -------------------------------------------------------------------- */

/* Runs fn in a child; returns how that ended. */
static int fate_of(void (*fn)(void))
{
    int status;
    pid_t child = fork();

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        alarm(20);
        fn();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

static void expect_death(void (*fn)(void), int number)
{
    int status = fate_of(fn);

    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == number, "status %#x", status);
}

static void expect_exit(void (*fn)(void), int code)
{
    int status = fate_of(fn);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "status %#x", status);
}

static void init_or_exit(void)
{
    if (byre__fault_init()) _exit(99);
}

static void touch_nothing(void)
{
    touch_write((char *)(page / 2), 1); /* what a null pointer leads to */
}

static void null_pointer(void)
{
    init_or_exit();
    touch_nothing();
}

static void null_pointer_after_removal(void)
{
    init_or_exit();
    char *at = map_pages(1, PROT_NONE);
    byre__fault_register(at, page, open_page, NULL);
    byre__fault_unregister(at);
    touch_nothing();
}

static void refused(void)
{
    init_or_exit();
    char *at = map_pages(1, PROT_NONE);
    byre__fault_register(at, page, refuse, NULL);
    touch_write(at, 1);
}

static void killed(void)
{
    init_or_exit();
    kill(getpid(), SIGSEGV);
}

static void bus_error(void)
{
    init_or_exit();
    int fd = memfd_create("empty", 0);
    touch_read(mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0));
}

START_TEST(default_kills)
{
    expect_death(null_pointer, SIGSEGV);
    expect_death(null_pointer_after_removal, SIGSEGV);
    expect_death(refused, SIGSEGV);
    expect_death(killed, SIGSEGV);
    expect_death(bus_error, SIGBUS);
}
END_TEST

static void ignored_fault(void)
{
    signal(SIGSEGV, SIG_IGN);
    null_pointer();
}

static void ignored_kill(void)
{
    signal(SIGSEGV, SIG_IGN);
    init_or_exit();
    kill(getpid(), SIGSEGV);
    _exit(5);
}

START_TEST(ignored)
{
    expect_death(ignored_fault, SIGSEGV); /* as the kernel does */
    expect_exit(ignored_kill, 5);
}
END_TEST

/* ---- earlier handlers ----------------------------------------------------------------------------- */

static sigjmp_buf back;
static siginfo_t told;
static sigset_t mask_told;
static _Atomic int calls;

static void jump_back(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    calls++;
    told = *info;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_told);
    siglongjmp(back, 1);
}

static void set_handler(int flags)
{
    struct sigaction action = { .sa_sigaction = jump_back, .sa_flags = SA_SIGINFO | flags };

    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGSEGV, &action, NULL);
}

static void fault_and_come_back(void)
{
    if (sigsetjmp(back, 1) == 0) touch_write((char *)(2 * page), 1);
}

START_TEST(earlier_handler)
{
    sigset_t mask;

    set_handler(0);
    init();
    for (int i = 1; i <= 3; i++) { /* F5: leaving by longjmp leaves nothing behind */
        fault_and_come_back();
        ck_assert_int_eq(calls, i);
        ck_assert_int_eq(told.si_code, SEGV_MAPERR);
        ck_assert_ptr_eq(told.si_addr, (void *)(2 * page));
        ck_assert_int_eq(sigismember(&mask_told, SIGUSR1), 1);
        ck_assert_int_eq(sigismember(&mask_told, SIGUSR2), 0);
        ck_assert_int_eq(sigismember(&mask_told, SIGSEGV), 1);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    ck_assert_int_eq(sigismember(&mask, SIGUSR1), 0);

    /* and ranges go on */
    char *at = map_pages(1, PROT_NONE);
    byre__fault_register(at, page, open_page, NULL);
    touch_write(at, 1);
    ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(earlier_handler_nodefer)
{
    set_handler(SA_NODEFER);
    init();
    fault_and_come_back();
    ck_assert_int_eq(sigismember(&mask_told, SIGSEGV), 0);
}
END_TEST

static void fault_twice(void)
{
    set_handler((int)SA_RESETHAND);
    init_or_exit();
    fault_and_come_back();
    if (calls != 1) _exit(9);
    fault_and_come_back();
    _exit(8);
}

START_TEST(earlier_handler_once)
{
    expect_death(fault_twice, SIGSEGV);
}
END_TEST

static _Atomic int plain_calls, plain_errno;
static void plain(int number)
{
    plain_calls += number;
    plain_errno = errno;
    errno = EDOM;
}

START_TEST(plain_handler_sent_signal)
{
    signal(SIGSEGV, plain);
    init();
    errno = ERANGE;
    raise(SIGSEGV);
    ck_assert_int_eq(errno, ERANGE); /* F7 */
    ck_assert_int_eq(plain_calls, SIGSEGV);
    ck_assert_int_eq(plain_errno, ERANGE);
}
END_TEST

/* ---- giving back ---------------------------------------------------------------------------------- */

START_TEST(given_back)
{
    struct sigaction now;

    signal(SIGSEGV, plain);
    init();
    init(); /* twice is once */
    byre__fault_fini();
    sigaction(SIGSEGV, NULL, &now);
    ck_assert(now.sa_handler == plain);
    sigaction(SIGBUS, NULL, &now);
    ck_assert(now.sa_handler == SIG_DFL);
}
END_TEST

static struct sigaction below;
static void chain_down(int number, siginfo_t *info, void *context)
{
    below.sa_sigaction(number, info, context);
}

/* Somebody came after us, and calls us: we stay, also when we come again. */
START_TEST(not_given_back)
{
    struct sigaction later = { .sa_sigaction = chain_down, .sa_flags = SA_SIGINFO }, now;
    char *at = map_pages(1, PROT_NONE);

    signal(SIGSEGV, plain);
    init();
    sigaction(SIGSEGV, &later, &below);
    byre__fault_fini();
    sigaction(SIGSEGV, NULL, &now);
    ck_assert(now.sa_sigaction == chain_down);
    raise(SIGSEGV);
    ck_assert_int_eq(plain_calls, SIGSEGV);

    init();
    byre__fault_register(at, page, open_page, NULL);
    touch_write(at, 1);
    ck_assert_uint_eq(seen.calls, 1);
    raise(SIGSEGV);
    ck_assert_int_eq(plain_calls, 2 * SIGSEGV);
}
END_TEST

/* ---- the suite ---------------------------------------------------------------------------------- */

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, default_kills);
    tcase_add_test(tcase, ignored);
    tcase_add_test(tcase, earlier_handler);
    tcase_add_test(tcase, earlier_handler_nodefer);
    tcase_add_test(tcase, earlier_handler_once);
    tcase_add_test(tcase, given_back);
    tcase_add_test(tcase, not_given_back);
    if (!UNDER_TSAN) tcase_add_test(tcase, plain_handler_sent_signal);
}

int main(void)
{
    return run_tests("fault_others", add_tests);
}
