/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of environment variables: defaults, values in force, bad values. */
#include "runtime/env.h"
#include "runtime/log.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each test is a process of its own: the environment is its own, too. */
static void clean(void)
{
    size_t count;
    const byre__env_var_t *table = byre__env_table(&count);
    for (size_t i = 0; i < count; i++) unsetenv(table[i].name);
}

static bool is_type(const char *type)
{
    return !strcmp(type, "int") || !strcmp(type, "bool") || !strcmp(type, "string") ||
           strchr(type, '|') != NULL;
}

START_TEST(the_table)
{
    size_t count = 0;
    const byre__env_var_t *table = byre__env_table(&count);

    clean();
    ck_assert_uint_eq(count, BYRE__ENV_COUNT);
    for (size_t i = 0; i < count; i++) {
        ck_assert_msg(strncmp(table[i].name, "BYRE_", 5) == 0, "%s", table[i].name);
        ck_assert_msg(is_type(table[i].type), "%s: %s", table[i].name, table[i].type);
        ck_assert_uint_gt(strlen(table[i].meaning), 10);
        for (size_t j = 0; j < i; j++) ck_assert_str_ne(table[i].name, table[j].name);
        /* The default is in force, and is a good value itself. */
        ck_assert_str_eq(byre__env_string((enum byre__env_id)i), table[i].def);
        ck_assert_ptr_null(byre__env_get(table[i].name));
        setenv(table[i].name, table[i].def, 1);
        ck_assert_msg(byre__env_check() == BYRE_OK, "%s=%s", table[i].name, table[i].def);
    }
}
END_TEST

START_TEST(values_in_force)
{
    clean();
    ck_assert_int_eq(byre__env_check(), BYRE_OK);
    ck_assert_int_eq(byre__env_int(BYRE__ENV_POPUP_MAX), 64);
    ck_assert(byre__env_bool(BYRE__ENV_SERVICE));
    ck_assert_str_eq(byre__env_string(BYRE__ENV_TRANSPORT), "auto");

    setenv("BYRE_POPUP_MAX", "7", 1);
    setenv("BYRE_SERVICE", "0", 1);
    setenv("BYRE_TRANSPORT", "loopback", 1);
    setenv("BYRE_SERVICE_CPUS", "0-3,7", 1);
    setenv("BYRE_SPIN_US", "-1", 1);
    ck_assert_int_eq(byre__env_check(), BYRE_OK);
    ck_assert_int_eq(byre__env_int(BYRE__ENV_POPUP_MAX), 7);
    ck_assert(!byre__env_bool(BYRE__ENV_SERVICE));
    ck_assert_str_eq(byre__env_string(BYRE__ENV_TRANSPORT), "loopback");
    ck_assert_str_eq(byre__env_string(BYRE__ENV_SERVICE_CPUS), "0-3,7");
    ck_assert_int_eq(byre__env_int(BYRE__ENV_SPIN_US), -1);
    ck_assert_str_eq(byre__env_get("BYRE_POPUP_MAX"), "7");
}
END_TEST

START_TEST(empty_is_not_set)
{
    clean();
    setenv("BYRE_POPUP_MAX", "", 1);
    setenv("BYRE_TRANSPORT", "", 1);
    ck_assert_int_eq(byre__env_check(), BYRE_OK);
    ck_assert_int_eq(byre__env_int(BYRE__ENV_POPUP_MAX), 64);
    ck_assert_str_eq(byre__env_string(BYRE__ENV_TRANSPORT), "auto");
}
END_TEST

static const struct {
    const char *name, *value;
} bad[] = {
    { "BYRE_POPUP_MAX", "many" },
    { "BYRE_POPUP_MAX", "12 " },
    { "BYRE_POPUP_MAX", "0x10" },
    { "BYRE_POPUP_MAX", "99999999999999999999" },
    { "BYRE_POPUP_MAX", "3000000000" },
    { "BYRE_HEARTBEAT_MS", "1.5" },
    { "BYRE_SPIN_US", "-2" },
    { "BYRE_SERVICE", "yes" },
    { "BYRE_SERVICE", "2" },
    { "BYRE_SERVICE", "11" },
    { "BYRE_TRANSPORT", "pigeon" },
    { "BYRE_TRANSPORT", "aut" },
    { "BYRE_TRANSPORT", "auto|mpi" },
    { "BYRE_TRANSPORT", "MPI" },
    { "BYRE_LOG", "verbose" },
    { "BYRE_SERVICE_SCHED", "rr" },
};

/* Refused, and the log names the variable and its value. */
START_TEST(bad_values)
{
    char line[512] = "";
    int ends[2];

    clean();
    ck_assert_int_eq(byre__env_check(), BYRE_OK);
    setenv(bad[_i].name, bad[_i].value, 1);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    byre__log_level = BYRE__LOG_ERROR;
    int error = byre__env_check();
    byre__log_level = BYRE__LOG_OFF;
    ck_assert_msg(error == BYRE_EINVAL, "%s=%s: %d", bad[_i].name, bad[_i].value, error);
    close(ends[1]);
    close(STDERR_FILENO);
    ck_assert_int_gt(read(ends[0], line, sizeof line - 1), 0);
    close(ends[0]);
    ck_assert_msg(strstr(line, bad[_i].name) != NULL && strstr(line, bad[_i].value) != NULL, "%s",
                  line);
    unsetenv(bad[_i].name);
    ck_assert_int_eq(byre__env_check(), BYRE_OK);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("env");
    TCase *tcase = tcase_create("env");
    tcase_add_test(tcase, the_table);
    tcase_add_test(tcase, values_in_force);
    tcase_add_test(tcase, empty_is_not_set);
    tcase_add_loop_test(tcase, bad_values, 0, (int)(sizeof bad / sizeof bad[0]));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
