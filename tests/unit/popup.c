/* SPDX-License-Identifier: BSD-3-Clause */
/* The pool of pop-up threads: order, recycling, limits, signals, and its end. */
#include "counters.h"
#include "popup.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct job {
    byre__popup_job_t job;
    int number;
    pthread_t thread;
};

static _Atomic int ran, running, most_running;
static sem_t gate;    /* jobs that wait_at_gate() wait here */
static sem_t arrived; /* and say so here first */

static void setup(void)
{
    atomic_store(&ran, 0);
    atomic_store(&running, 0);
    atomic_store(&most_running, 0);
    sem_init(&gate, 0, 0);
    sem_init(&arrived, 0, 0);
}

static uint64_t threads_created(void)
{
    return atomic_load(&byre__counters.popup_threads);
}

static void wait_ran(int count)
{
    while (atomic_load(&ran) < count) sched_yield();
}

static void enter(void)
{
    int now = atomic_fetch_add(&running, 1) + 1, most = atomic_load(&most_running);
    while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now)) {}
}

static void leave(void)
{
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&ran, 1);
}

static void just_count(byre__popup_job_t *job)
{
    enter();
    ((struct job *)job)->thread = pthread_self();
    leave();
}

static void wait_at_gate(byre__popup_job_t *job)
{
    enter();
    ((struct job *)job)->thread = pthread_self();
    sem_post(&arrived);
    sem_wait(&gate);
    leave();
}

static void submit(struct job *job, void (*run)(byre__popup_job_t *))
{
    job->job.run = run;
    byre__popup_submit(&job->job);
}

START_TEST(test_bad_size)
{
    ck_assert_int_eq(byre__popup_init(0), BYRE_EINVAL);
    ck_assert_int_eq(byre__popup_init(-3), BYRE_EINVAL);
}
END_TEST

START_TEST(test_unused_pool_creates_nothing)
{
    uint64_t before = threads_created();
    ck_assert_int_eq(byre__popup_init(64), BYRE_OK);
    byre__popup_fini();
    ck_assert_uint_eq(threads_created(), before);
}
END_TEST

START_TEST(test_one_after_the_other_uses_one_thread)
{
    uint64_t before = threads_created(), popups = atomic_load(&byre__counters.popups);
    struct job jobs[50];
    ck_assert_int_eq(byre__popup_init(8), BYRE_OK);
    for (int i = 0; i < 50; i++) {
        submit(&jobs[i], just_count);
        wait_ran(i + 1);
        usleep(2000); /* let the thread lie down again */
    }
    byre__popup_fini();
    ck_assert_int_eq(ran, 50);
    ck_assert_uint_eq(atomic_load(&byre__counters.popups) - popups, 50);
    /* one, unless the machine was so busy that the thread did not get to lie down in time */
    ck_assert_uint_ge(threads_created() - before, 1);
    ck_assert_uint_lt(threads_created() - before, 8);
}
END_TEST

/* Jobs that block do so on threads of their own, up to the limit, and the others wait. */
START_TEST(test_limit)
{
    uint64_t before = threads_created();
    struct job jobs[10];
    ck_assert_int_eq(byre__popup_init(4), BYRE_OK);
    for (int i = 0; i < 10; i++) submit(&jobs[i], wait_at_gate);
    for (int i = 0; i < 4; i++) sem_wait(&arrived);
    usleep(20000);
    ck_assert_int_eq(sem_trywait(&arrived), -1);
    ck_assert_int_eq(ran, 0);
    for (int i = 0; i < 10; i++) sem_post(&gate);
    wait_ran(10);
    byre__popup_fini();
    ck_assert_int_eq(most_running, 4);
    ck_assert_uint_eq(threads_created() - before, 4);
}
END_TEST

/* The thread that went idle last is taken first. */
START_TEST(test_warmest_first)
{
    struct job jobs[3], next;
    ck_assert_int_eq(byre__popup_init(3), BYRE_OK);
    for (int i = 0; i < 3; i++) {
        submit(&jobs[i], wait_at_gate);
        sem_wait(&arrived);
    }
    /* The semaphore does not say who passes: find out who is last by who ran the last job. */
    for (int i = 0; i < 3; i++) sem_post(&gate);
    wait_ran(3);
    usleep(50000);
    submit(&next, just_count);
    wait_ran(4);
    pthread_t warm = next.thread;
    usleep(50000);
    for (int i = 0; i < 5; i++) {
        submit(&next, just_count);
        wait_ran(5 + i);
        ck_assert_msg(pthread_equal(warm, next.thread), "job %d went to a colder thread", i);
        usleep(50000);
    }
    byre__popup_fini();
}
END_TEST

static int order[1000];

static void note_order(byre__popup_job_t *job)
{
    order[atomic_fetch_add(&ran, 1)] = ((struct job *)job)->number;
}

START_TEST(test_order)
{
    static struct job jobs[1000];
    ck_assert_int_eq(byre__popup_init(1), BYRE_OK);
    for (int i = 0; i < 1000; i++) {
        jobs[i].number = i;
        submit(&jobs[i], note_order);
    }
    byre__popup_fini();
    ck_assert_int_eq(ran, 1000);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(order[i], i);
}
END_TEST

/* fini waits for the running and the waiting, and for those that they submit. */
static struct job second;

static void submit_another(byre__popup_job_t *job)
{
    usleep(30000);
    submit(&second, just_count);
    leave();
    (void)job;
}

START_TEST(test_end_waits)
{
    struct job first;
    ck_assert_int_eq(byre__popup_init(2), BYRE_OK);
    atomic_fetch_add(&running, 1); /* submit_another only leaves */
    submit(&first, submit_another);
    byre__popup_fini();
    ck_assert_int_eq(ran, 2);
}
END_TEST

START_TEST(test_again_and_again)
{
    struct job jobs[20];
    for (int round = 0; round < 30; round++) {
        atomic_store(&ran, 0);
        ck_assert_int_eq(byre__popup_init(1 + round % 5), BYRE_OK);
        for (int i = 0; i < 20; i++) submit(&jobs[i], just_count);
        byre__popup_fini();
        ck_assert_int_eq(ran, 20);
    }
}
END_TEST

/* A job may be freed by the one who runs it. */
static void free_it(byre__popup_job_t *job)
{
    memset(job, 0xff, sizeof(struct job));
    free(job);
    atomic_fetch_add(&ran, 1);
}

enum { SUBMITTERS = 4, EACH = 2000 };

static void *submit_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        struct job *job = malloc(sizeof *job);
        ck_assert_ptr_nonnull(job);
        submit(job, free_it);
        if (i % 64 == 0) usleep(100); /* idle now and then */
    }
    return NULL;
}

START_TEST(test_many_submitters)
{
    pthread_t submitters[SUBMITTERS];
    uint64_t before = threads_created();
    ck_assert_int_eq(byre__popup_init(6), BYRE_OK);
    for (int i = 0; i < SUBMITTERS; i++)
        ck_assert_int_eq(pthread_create(&submitters[i], NULL, submit_many, NULL), 0);
    for (int i = 0; i < SUBMITTERS; i++) pthread_join(submitters[i], NULL);
    byre__popup_fini();
    ck_assert_int_eq(ran, SUBMITTERS * EACH);
    ck_assert_uint_le(threads_created() - before, 6);
}
END_TEST

static sigset_t seen_mask;
static char seen_name[16];

static void look_at_self(byre__popup_job_t *job)
{
    (void)job;
    pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
    pthread_getname_np(pthread_self(), seen_name, sizeof seen_name);
    atomic_fetch_add(&ran, 1);
}

START_TEST(test_signals_and_name)
{
    struct job job;
    sigset_t mine;
    ck_assert_int_eq(byre__popup_init(1), BYRE_OK);
    submit(&job, look_at_self);
    byre__popup_fini();
    ck_assert_str_eq(seen_name, "byre-popup");
    ck_assert_int_eq(sigismember(&seen_mask, SIGSEGV), 0);
    ck_assert_int_eq(sigismember(&seen_mask, SIGBUS), 0);
    ck_assert_int_eq(sigismember(&seen_mask, SIGFPE), 0);
    ck_assert_int_eq(sigismember(&seen_mask, SIGINT), 1);
    ck_assert_int_eq(sigismember(&seen_mask, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&seen_mask, SIGALRM), 1);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    ck_assert_int_eq(sigismember(&mine, SIGUSR1), 0);
}
END_TEST

/* No thread can be created: the jobs wait, and run at the latest when the pool ends. */
START_TEST(test_no_thread_at_all)
{
    struct job jobs[3];
    if (getenv("BYRE_SANITIZED") != NULL) return; /* they need their address space */
    struct rlimit limit = { .rlim_cur = 1, .rlim_max = RLIM_INFINITY };
    uint64_t before = threads_created();
    ck_assert_int_eq(byre__popup_init(4), BYRE_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0); /* this process is Check's child */
    for (int i = 0; i < 3; i++) submit(&jobs[i], just_count);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_uint_eq(threads_created(), before);
    ck_assert_int_eq(ran, 0);
    byre__popup_fini();
    ck_assert_int_eq(ran, 3);
}
END_TEST

/* ... and when one can be created again, it takes those that wait first. */
START_TEST(test_thread_after_all)
{
    static struct job jobs[4];
    if (getenv("BYRE_SANITIZED") != NULL) return;
    struct rlimit limit = { .rlim_cur = 1, .rlim_max = RLIM_INFINITY };
    ck_assert_int_eq(byre__popup_init(1), BYRE_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    for (int i = 0; i < 4; i++) {
        jobs[i].number = i;
        if (i == 3) {
            limit.rlim_cur = RLIM_INFINITY;
            ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
        }
        submit(&jobs[i], note_order);
    }
    wait_ran(4);
    byre__popup_fini();
    for (int i = 0; i < 4; i++) ck_assert_int_eq(order[i], i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("popup");
    TCase *tests = tcase_create("popup");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, test_bad_size);
    tcase_add_test(tests, test_unused_pool_creates_nothing);
    tcase_add_test(tests, test_one_after_the_other_uses_one_thread);
    tcase_add_test(tests, test_limit);
    tcase_add_test(tests, test_warmest_first);
    tcase_add_test(tests, test_order);
    tcase_add_test(tests, test_end_waits);
    tcase_add_test(tests, test_again_and_again);
    tcase_add_test(tests, test_many_submitters);
    tcase_add_test(tests, test_signals_and_name);
    tcase_add_test(tests, test_no_thread_at_all);
    tcase_add_test(tests, test_thread_after_all);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
