/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and finish without mpirun: a cluster of one on the loopback transport. What is taken is given
 * back: threads, descriptors, signal handlers. */
#include "suite.h"

#include <byre.h>
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each test is a process of its own, in which Byre can be started once. */
static void loopback(void)
{
    setenv("BYRE_TRANSPORT", "loopback", 1);
}

static int entries(const char *directory)
{
    DIR *dir = opendir(directory);
    int count = 0;
    ck_assert_ptr_nonnull(dir);
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static void *nothing(void *arg)
{
    return arg;
}

/* What the process has now; the first thread of a process sets things up for good. */
struct belongings {
    int threads, descriptors;
    struct sigaction segv, bus;
    sigset_t mask;
};

static struct belongings look(void)
{
    struct belongings now;
    memset(&now, 0, sizeof now);
    now.threads = entries("/proc/self/task");
    now.descriptors = entries("/proc/self/fd");
    sigaction(SIGSEGV, NULL, &now.segv);
    sigaction(SIGBUS, NULL, &now.bus);
    pthread_sigmask(SIG_SETMASK, NULL, &now.mask);
    return now;
}

/* A thread that was joined is in /proc for a moment longer. The test's time limit is the limit. */
static void wait_for_threads(int threads)
{
    while (entries("/proc/self/task") > threads) (void)sched_yield();
}

static void warm_up(void)
{
    pthread_t thread;
    int threads = entries("/proc/self/task");
    ck_assert_int_eq(pthread_create(&thread, NULL, nothing, NULL), 0);
    pthread_join(thread, NULL);
    wait_for_threads(threads);
}

static void same(const struct belongings *before)
{
    wait_for_threads(before->threads);
    struct belongings now = look();
    ck_assert_int_eq(now.threads, before->threads);
    ck_assert_int_eq(now.descriptors, before->descriptors);
    ck_assert_ptr_eq((void *)now.segv.sa_handler, (void *)before->segv.sa_handler);
    ck_assert_ptr_eq((void *)now.bus.sa_handler, (void *)before->bus.sa_handler);
    for (int s = 1; s < 32; s++)
        ck_assert_int_eq(sigismember(&now.mask, s), sigismember(&before->mask, s));
}

START_TEST(a_cluster_of_one)
{
    loopback();
    ck_assert_int_eq(byre_initialized(), 0);
    ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(byre_initialized(), 1);
    ck_assert_int_eq(byre_rank(), 0);
    ck_assert_int_eq(byre_size(), 1);
    ck_assert_int_eq(byre_node_count(), 1);
    ck_assert_int_eq(byre_node_of(0), 0);
    ck_assert_int_eq(byre_node_of(1), BYRE_ERANK);
    ck_assert_uint_gt(strlen(byre_node_name(0)), 0);
    ck_assert_ptr_null(byre_node_name(1));
    ck_assert_int_ge(byre_port_max(), 32767);
    ck_assert_int_eq(byre_barrier(), BYRE_OK);
    ck_assert_int_eq(byre_peer_failed(0), 0);
    ck_assert_int_eq(byre_failures_ack(), 0);
    ck_assert_int_gt(byre_failure_bound_ms(), 0);
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
    ck_assert_int_eq(byre_initialized(), 0);
}
END_TEST

/* Without mpirun "auto" is loopback. */
START_TEST(found_by_itself)
{
    static const char *const of_mpirun[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK" };
    for (size_t i = 0; i < 3; i++) unsetenv(of_mpirun[i]);
    unsetenv("BYRE_TRANSPORT");
    ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(byre_size(), 1);
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
}
END_TEST

START_TEST(once_only)
{
    loopback();
    ck_assert_int_eq(byre_finalize(), BYRE_ESTATE);
    ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(byre_init(), BYRE_ESTATE);
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
    ck_assert_int_eq(byre_finalize(), BYRE_ESTATE);
    ck_assert_int_eq(byre_init(), BYRE_ESTATE);
    ck_assert_int_eq(byre_rank(), BYRE_ESTATE);
    ck_assert_int_eq(byre_send((byre_addr_t){ 0, 0 }, NULL, 0), BYRE_ESTATE);
}
END_TEST

static _Atomic int popped;

static void popup(void *msg, const byre_info_t *info, void *arg)
{
    (void)msg, (void)info, (void)arg;
    atomic_fetch_add(&popped, 1);
}

static void tell(int error, void *arg)
{
    (void)arg;
    if (error == BYRE_OK) atomic_fetch_add(&popped, 1);
}

/* After some use of everything. */
START_TEST(gives_back_what_it_took)
{
    char byte = 1;
    byre_request_t req;
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK, .callback = tell };
    char *large = calloc(1, 1 << 20);

    loopback();
    warm_up();
    struct belongings before = look();
    ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(byre_port_popup(1, popup, NULL), BYRE_OK);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(byre_send((byre_addr_t){ 0, 1 }, &byte, 1), BYRE_OK);
    ck_assert_int_eq(byre_isend((byre_addr_t){ 0, 1 }, &byte, 1, &notice, NULL), BYRE_OK);
    while (atomic_load(&popped) < 22) sched_yield();
    ck_assert_int_eq(byre_isend_cow((byre_addr_t){ 0, 2 }, large, 1 << 20, NULL, &req), BYRE_OK);
    large[5000] = 1;
    ck_assert_int_eq(byre_recv(2, BYRE_ANY, large, 1 << 20, NULL), BYRE_OK);
    ck_assert_int_eq(byre_wait(&req, NULL), BYRE_OK);
    ck_assert_int_eq(byre_isend_copy((byre_addr_t){ 0, 3 }, large, 1 << 20), BYRE_OK);
    ck_assert_int_eq(byre_send((byre_addr_t){ 0, 4 }, &byte, 1), BYRE_OK); /* nobody takes it */
    ck_assert_int_eq(byre_recv(3, BYRE_ANY, &byte, 1, NULL), BYRE_ETRUNC); /* nor this */
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
    same(&before);
    free(large);
}
END_TEST

START_TEST(bad_environment)
{
    loopback();
    warm_up();
    struct belongings before = look();
    setenv("BYRE_POPUP_MAX", "lots", 1);
    ck_assert_int_eq(byre_init(), BYRE_EINVAL);
    ck_assert_int_eq(byre_initialized(), 0);
    ck_assert_int_eq(byre_rank(), BYRE_ESTATE);
    ck_assert_int_eq(byre_finalize(), BYRE_ESTATE);
    same(&before);
    unsetenv("BYRE_POPUP_MAX");
    ck_assert_int_eq(byre_init(), BYRE_OK); /* it is as if nothing had been */
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
    same(&before);
}
END_TEST

/* Out of descriptors: an error, or it does without; never something left. */
START_TEST(out_of_descriptors)
{
    loopback();
    warm_up();
    int before = entries("/proc/self/fd"), taken[4096], count = 0, fd;
    while (count < 4096 && (fd = dup(STDERR_FILENO)) >= 0) taken[count++] = fd;
    for (int spare = 0; spare < 12; spare++) {
        int error = byre_init();
        if (error == BYRE_OK) break;
        ck_assert_msg(error == BYRE_ESYSTEM || error == BYRE_ENOMEM, "%s", byre_error_name(error));
        ck_assert_int_eq(byre_initialized(), 0);
        ck_assert_int_gt(count, 0);
        close(taken[--count]);
    }
    while (count > 0) close(taken[--count]);
    if (!byre_initialized()) ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
    ck_assert_int_eq(entries("/proc/self/fd"), before);
}
END_TEST

/* Without the service thread everything that is waited for still works. */
START_TEST(without_service_thread)
{
    int number = 7, got = 0;
    loopback();
    setenv("BYRE_SERVICE", "0", 1);
    int before = entries("/proc/self/task");
    ck_assert_int_eq(byre_init(), BYRE_OK);
    ck_assert_int_eq(entries("/proc/self/task"), before);
    ck_assert_int_eq(byre_isend_copy((byre_addr_t){ 0, 1 }, &number, sizeof number), BYRE_OK);
    ck_assert_int_eq(byre_recv(1, 0, &got, sizeof got, NULL), BYRE_OK);
    ck_assert_int_eq(got, 7);
    ck_assert_int_eq(byre_barrier(), BYRE_OK);
    ck_assert_int_eq(byre_finalize(), BYRE_OK);
}
END_TEST

static void own_handler(int number)
{
    (void)number;
    _exit(0);
}

/* The application's own handler is there again afterwards, and gets its faults in between. */
START_TEST(handlers_of_the_application)
{
    struct sigaction now;
    loopback();
    signal(SIGSEGV, own_handler);
    ck_assert_int_eq(byre_init(), BYRE_OK);
    if (_i == 0) {
        ck_assert_int_eq(byre_finalize(), BYRE_OK);
        sigaction(SIGSEGV, NULL, &now);
        ck_assert_ptr_eq((void *)now.sa_handler, (void *)own_handler);
        _exit(0);
    }
    volatile uintptr_t nowhere = 16;
    *(volatile int *)nowhere = 1;
    _exit(1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lifecycle");
    TCase *tcase = tcase_create("lifecycle");
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, a_cluster_of_one);
    tcase_add_test(tcase, found_by_itself);
    tcase_add_test(tcase, once_only);
    tcase_add_test(tcase, gives_back_what_it_took);
    tcase_add_test(tcase, bad_environment);
    tcase_add_test(tcase, out_of_descriptors);
    tcase_add_test(tcase, without_service_thread);
    tcase_add_loop_exit_test(tcase, handlers_of_the_application, 0, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
