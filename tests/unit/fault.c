/* SPDX-License-Identifier: BSD-3-Clause */
/* The SIGSEGV dispatcher: invariants F1-F8 of runtime/fault.c. */
#include "runtime/fault.h"

#include <byre_errors.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer delivers signals itself: no fault inside a handler, an errno of its own, and what a
 * resolver may do beyond the letter of async-signal-safety it reports. */
#ifdef __SANITIZE_THREAD__
enum { UNDER_TSAN = 1 };
#else
enum { UNDER_TSAN = 0 };
#endif

static size_t page;

static char *map_pages(size_t pages, int prot)
{
    char *at = mmap(NULL, pages * page, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(at, MAP_FAILED);
    return at;
}

/* Sanitizers have a handler of their own: what is tested is the default below ours. */
static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
}

static void init(void)
{
    ck_assert_int_eq(byre__fault_init(), BYRE_OK);
}

/* An access that the compiler cannot leave out, nor a sanitizer examine. */
__attribute__((no_sanitize("address", "undefined", "thread"))) static char
touch_read(const char *at)
{
    return *(const volatile char *)at;
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static void touch_write(char *at,
                                                                                       char value)
{
    *(volatile char *)at = value;
}

/* ---- resolvers -------------------------------------------------------------------------------- */

static struct {
    _Atomic unsigned calls;
    _Atomic unsigned writes;
    _Atomic bool in_runtime;
    _Atomic uintptr_t addr;
} seen;

/* Opens the page. */
static bool open_page(const byre__fault_t *fault, void *arg)
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

static bool refuse(const byre__fault_t *fault, void *arg)
{
    (void)fault;
    (void)arg;
    return false;
}

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

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("all");
    SRunner *runner;

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, resolved);
    tcase_add_test(tcase, registration_errors);
    tcase_add_test(tcase, many_ranges);
    tcase_add_test(tcase, threads_at_once);
    tcase_add_test(tcase, registration_under_load);
    tcase_add_test(tcase, stale_faults);
    tcase_add_test(tcase, default_kills);
    tcase_add_test(tcase, ignored);
    tcase_add_test(tcase, earlier_handler);
    tcase_add_test(tcase, earlier_handler_nodefer);
    tcase_add_test(tcase, earlier_handler_once);
    tcase_add_test(tcase, signals_wait);
    tcase_add_test(tcase, alternate_stack);
    tcase_add_test(tcase, given_back);
    tcase_add_test(tcase, not_given_back);
    if (!UNDER_TSAN) {
        tcase_add_test(tcase, nested);
        tcase_add_test(tcase, unregister_waits);
        tcase_add_test(tcase, plain_handler_sent_signal);
    }
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
