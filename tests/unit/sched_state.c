/* SPDX-License-Identifier: BSD-3-Clause */
/* Where things are kept: names that are none, directories of others, links, open doors. */
#include "sched/state.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], top[80];

static void setup(void)
{
    (void)strcpy(base, "/tmp/state.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    (void)snprintf(top, sizeof top, "%s/s", base);
    ck_assert_int_eq(setenv("BYRE_STATE", top, 1), 0);
    ck_assert_int_eq(setenv("BYRE_NODE_NAME", "node7.some.domain", 1), 0);
    ck_assert_int_eq(unsetenv("BYRE_POOL"), 0);
}

static void teardown(void)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", base);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(test_node)
{
    char name[64], host[65], small[5];
    ck_assert(byre__state_node(name, sizeof name));
    ck_assert_str_eq(name, "node7");
    ck_assert(!byre__state_node(small, sizeof small));
    static const char *const bad[] = { ".domain", "a/b", "../x",
                                       "a-name-of-more-than-forty-seven-letters-is-too-long" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(setenv("BYRE_NODE_NAME", bad[i], 1), 0);
        ck_assert_msg(!byre__state_node(name, sizeof name), "\"%s\" was taken", bad[i]);
    }
    ck_assert_int_eq(setenv("BYRE_NODE_NAME", "", 1), 0);
    ck_assert_int_eq(gethostname(host, sizeof host), 0);
    ck_assert(byre__state_node(name, sizeof name));
    ck_assert_uint_eq(strncmp(name, host, strlen(name)), 0);
}
END_TEST

START_TEST(test_pool)
{
    static const char *const good[] = { "a", "my-pool_1.x", "01234567890123456789012345678901" };
    static const char *const bad[] = {
        ".", "..", ".x", "a/b", "a b", "\xc3\xa4", "012345678901234567890123456789012"
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_str_eq(byre__state_pool(good[i]), good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_ptr_null(byre__state_pool(bad[i]));
    ck_assert_str_eq(byre__state_pool(NULL), "pool");
    ck_assert_int_eq(setenv("BYRE_POOL", "other", 1), 0);
    ck_assert_str_eq(byre__state_pool(NULL), "other");
    ck_assert_str_eq(byre__state_pool("this"), "this");
}
END_TEST

START_TEST(test_directory)
{
    char dir[BYRE__STATE_PATH], expected[160];
    struct stat status;
    ck_assert_int_eq(byre__state_dir("p", false, dir), BYRE_ESYSTEM); /* not there, not made */
    ck_assert_int_ne(access(top, F_OK), 0);
    umask(0);
    for (int again = 0; again < 2; again++)
        ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_OK);
    (void)snprintf(expected, sizeof expected, "%s/p/node7", top);
    ck_assert_str_eq(dir, expected);
    ck_assert_int_eq(stat(dir, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(stat(top, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0700);
    ck_assert_int_eq(byre__state_dir("p", false, dir), BYRE_OK);
    ck_assert_int_eq(byre__state_dir("a/b", true, dir), BYRE_EINVAL);
}
END_TEST

START_TEST(test_open_door)
{
    char dir[BYRE__STATE_PATH];
    ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_OK);
    ck_assert_int_eq(chmod(top, 0755), 0);
    ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_ERIGHT);
    ck_assert_int_eq(chmod(top, 0700), 0);
    ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_OK);
    if (geteuid() != 0) return;
    ck_assert_int_eq(chown(top, 65534, 65534),
                     0); /* somebody else's: root may look, and not use it */
    ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_ERIGHT);
    ck_assert_int_eq(byre__state_dir("p", false, dir), BYRE_OK);
}
END_TEST

START_TEST(test_link)
{
    char dir[BYRE__STATE_PATH], real[96];
    (void)snprintf(real, sizeof real, "%s/real", base);
    ck_assert_int_eq(mkdir(real, 0700), 0);
    ck_assert_int_eq(symlink(real, top), 0);
    ck_assert_int_eq(byre__state_dir("p", true, dir), BYRE_ERIGHT);
}
END_TEST

START_TEST(test_long)
{
    char dir[BYRE__STATE_PATH], path[1000];
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    for (size_t bytes = BYRE__STATE_PATH - 12; bytes < BYRE__STATE_PATH + 3; bytes++) {
        path[bytes] = '\0';
        ck_assert_int_eq(setenv("BYRE_STATE", path, 1), 0);
        int result = byre__state_dir("p", false, dir);
        ck_assert(result == BYRE_EINVAL || result == BYRE_ESYSTEM);
        path[bytes] = 'x';
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_state");
    TCase *tests = tcase_create("state");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_node);
    tcase_add_test(tests, test_pool);
    tcase_add_test(tests, test_directory);
    tcase_add_test(tests, test_open_door);
    tcase_add_test(tests, test_link);
    tcase_add_test(tests, test_long);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
