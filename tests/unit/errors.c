/* SPDX-License-Identifier: BSD-3-Clause */
/* Every error has a name and a text of its own; other numbers have some too. */
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int number;
    const char *scope, *text;
} errors[] = {
#define BYRE__X(name, number, scope, text) { #name, number, #scope, text },
    BYRE_ERRORS(BYRE__X)
#undef BYRE__X
};
enum { COUNT = sizeof errors / sizeof errors[0] };

START_TEST(names_and_texts)
{
    for (int i = 0; i < COUNT; i++) {
        ck_assert_str_eq(byre_error_name(errors[i].number), errors[i].name);
        ck_assert_str_eq(byre_strerror(errors[i].number), errors[i].text);
        ck_assert_uint_gt(strlen(errors[i].text), 4);
    }
}
END_TEST

START_TEST(numbers_are_unique_and_negative)
{
    ck_assert_int_eq(BYRE_OK, 0);
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(errors[i].number, -i); /* no holes: the list is the numbering */
        for (int j = 0; j < i; j++) {
            ck_assert_str_ne(errors[i].name, errors[j].name);
            ck_assert_str_ne(errors[i].text, errors[j].text);
        }
    }
}
END_TEST

START_TEST(scopes)
{
    for (int i = 0; i < COUNT; i++)
        ck_assert(!strcmp(errors[i].scope, "call") || !strcmp(errors[i].scope, "peer") ||
                  !strcmp(errors[i].scope, "job"));
}
END_TEST

START_TEST(strangers)
{
    static const int numbers[] = { 1, 42, INT_MAX, INT_MIN, -COUNT, -1000 };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ck_assert_str_eq(byre_strerror(numbers[i]), "unknown error");
        ck_assert_str_eq(byre_error_name(numbers[i]), "BYRE_E?");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tcase = tcase_create("errors");
    tcase_add_test(tcase, names_and_texts);
    tcase_add_test(tcase, numbers_are_unique_and_negative);
    tcase_add_test(tcase, scopes);
    tcase_add_test(tcase, strangers);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
