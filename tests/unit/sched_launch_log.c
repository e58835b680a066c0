/* SPDX-License-Identifier: BSD-3-Clause */
/* What is shown of mpirun's log: the daemons' words first, however much of Open MPI's own comes after them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sched/cmd/launch.h"
#include "suite.h"

static char dir[64], shown[16384];

static void setup(void)
{
    (void)strcpy(dir, "/tmp/launch.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static FILE *log_open(const char *mode)
{
    char path[96];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/mpirun.log", dir);
    file = fopen(path, mode);
    ck_assert_ptr_nonnull(file);
    return file;
}

/* What comes to stderr, in `shown'. */
static void show(unsigned complaints)
{
    char path[96];
    size_t length;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/shown", dir);
    ck_assert_ptr_nonnull(freopen(path, "w", stderr));
    launch_show_log(dir, complaints);
    (void)fflush(stderr);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    length = fread(shown, 1, sizeof shown - 1, file);
    shown[length] = '\0';
    (void)fclose(file);
}

static unsigned times(const char *what)
{
    unsigned n = 0;
    for (const char *at = strstr(shown, what); at != NULL; at = strstr(at + 1, what)) n++;
    return n;
}

START_TEST(test_flood)
{
    FILE *file = log_open("w");

    (void)fputs("byred: n2: the ledger is damaged\n-----\n\n", file);
    for (int i = 0; i < 500; i++) (void)fprintf(file, "ORTE_ERROR_LOG\nline %d\n", i % 40);
    (void)fputs("byred: n3: no room\n", file);
    (void)fclose(file);
    show(2);
    ck_assert_uint_eq(
        strncmp(shown, "    byred: n2: the ledger is damaged\n    byred: n3: no room\n", 60), 0);
    ck_assert_uint_eq(times("ORTE_ERROR_LOG"), 1);
    ck_assert_uint_eq(times("    line "), 15);
    ck_assert_uint_eq(times("line 19\n"), 1); /* the last one */
    ck_assert_uint_eq(times("----"), 0);
    ck_assert_uint_eq(times("more in "), 1);
}
END_TEST

START_TEST(test_long_and_torn)
{
    FILE *file = log_open("w");

    for (int i = 0; i < 1000; i++) (void)fputc('x', file);
    (void)fputs("\nbyred: torn", file);
    (void)fclose(file);
    show(1);
    ck_assert_uint_eq(strncmp(shown, "    byred: torn\n    xxx", 23), 0);
    ck_assert_uint_eq(times("xx\n"), 1);
    ck_assert_uint_lt(strlen(shown), 600);
}
END_TEST

/* The words of a daemon may come after others know of its end. */
START_TEST(test_late)
{
    FILE *file = log_open("w");
    pid_t child;

    (void)fputs("noise\n", file);
    (void)fclose(file);
    child = fork();
    if (child == 0) {
        static const struct timespec late = { 0, 200000000 };
        (void)nanosleep(&late, NULL);
        file = log_open("a");
        (void)fputs("byred: n2: late\n", file);
        (void)fclose(file);
        _exit(0);
    }
    show(1);
    ck_assert_uint_eq(times("byred: n2: late"), 1);
    ck_assert_uint_eq(times("noise"), 1);
}
END_TEST

START_TEST(test_none)
{
    show(0);
    ck_assert_uint_eq(strncmp(shown, "(more in ", 9), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_launch_log");
    TCase *tests = tcase_create("log");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_flood);
    tcase_add_test(tests, test_long_and_torn);
    tcase_add_test(tests, test_late);
    tcase_add_test(tests, test_none);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
