/* SPDX-License-Identifier: BSD-3-Clause */
/* suite.h - how the main of a Check suite ends. */
#ifndef BYRE__TESTS_SUITE_H
#define BYRE__TESTS_SUITE_H

#include <check.h>

/* Runs it and frees it; $CK_VERBOSITY is heard. The exit status: 0, or 1 if a test failed. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}

#endif
