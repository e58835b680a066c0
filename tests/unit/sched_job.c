/* SPDX-License-Identifier: BSD-3-Clause */
/* Jobs: ids as text, contexts, specs, ends and rows as bytes and back; what an end comes to in a shell. */
#include "sched/job.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(test_ids)
{
    static const struct {
        const char *text, *home;
        uint64_t number;
    } good[] = { { "n1.17", "n1", 17 },
                 { "17", "here", 17 },
                 { "a-b_c.1", "a-b_c", 1 },
                 { "n.18446744073709551615", "n", UINT64_MAX } };
    static const char *const bad[] = { "",      ".",     "n1.",   ".5",
                                       "n1.0",  "n1.-1", "n1.+1", "n1.x",
                                       "0",     "1x",    "n1.1x", "n1. 1",
                                       "n1.01", "-1",    "n1",    "n1.18446744073709551616" };
    byre__job_id_t id;
    char text[BYRE__JOB_ID], long_one[BYRE__NODE_NAME + 4];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ck_assert(byre__job_id_parse(good[i].text, "here", &id));
        ck_assert_str_eq(id.home, good[i].home);
        ck_assert_uint_eq(id.number, good[i].number);
        byre__job_id_t again;
        ck_assert(byre__job_id_parse(byre__job_id_format(&id, text), NULL, &again));
        ck_assert(byre__job_id_equal(&id, &again));
        again.number--;
        ck_assert(!byre__job_id_equal(&id, &again));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!byre__job_id_parse(bad[i], "here", &id), "\"%s\" was taken", bad[i]);
    ck_assert(!byre__job_id_parse("17", NULL, &id));
    memset(long_one, 'n', sizeof long_one);
    memcpy(long_one + BYRE__NODE_NAME - 1, ".1", 3);
    ck_assert(byre__job_id_parse(long_one, NULL, &id)); /* 47 letters */
    byre__job_id_t longest = id;
    longest.number = UINT64_MAX;
    ck_assert_uint_lt(strlen(byre__job_id_format(&longest, text)), BYRE__JOB_ID);
    memcpy(long_one + BYRE__NODE_NAME - 1, "n.1", 4);
    ck_assert(!byre__job_id_parse(long_one, NULL, &id));
}
END_TEST

static bool has(char *const *env, const char *variable)
{
    for (; *env != NULL; env++)
        if (strcmp(*env, variable) == 0) return true;
    return false;
}

/* Of this process, and nothing of an MPI around it. */
START_TEST(test_context)
{
    byre__context_t context, again;
    byre__pack_t pack = { 0 };
    struct rlimit limit;
    ck_assert_int_eq(setenv("TEST_A", "b=c\nd", 1), 0);
    ck_assert_int_eq(setenv("OMPI_COMM_WORLD_RANK", "3", 1), 0);
    ck_assert_int_eq(setenv("OMPI_COMM_WORLD_SIZE", "4", 1), 0);
    ck_assert_int_eq(setenv("PMIX_RANK", "3", 1), 0);
    ck_assert_int_eq(setenv("OMPI_MCA_orte_x", "3", 1), 0);
    ck_assert_int_eq(setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1), 0);
    mode_t before = umask(0137);
    ck_assert_int_eq(chdir("/usr"), 0);
    ck_assert_int_eq(byre__context_capture(&context), BYRE_OK);
    umask(before);
    byre__pack_context(&pack, &context);
    ck_assert(!pack.failed);
    byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
    byre__unpack_context(&unpack, &again);
    ck_assert(byre__unpack_done(&unpack));
    ck_assert_str_eq(again.cwd, "/usr");
    ck_assert_uint_eq(again.umask, 0137);
    ck_assert(has(again.env, "TEST_A=b=c\nd"));
    ck_assert(has(again.env, "OMPI_ALLOW_RUN_AS_ROOT=1"));
    ck_assert(!has(again.env, "OMPI_COMM_WORLD_RANK=3") && !has(again.env, "PMIX_RANK=3"));
    ck_assert(!has(again.env, "OMPI_MCA_orte_x=3"));
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(again.soft[RLIMIT_NOFILE], limit.rlim_cur);
    ck_assert_uint_eq(again.hard[RLIMIT_NOFILE], limit.rlim_max);
    byre__context_key_t key = byre__context_key(pack.data, pack.bytes);
    for (size_t i = 0; i < pack.bytes; i += 7) { /* any byte makes another key */
        pack.data[i] ^= 1;
        byre__context_key_t other = byre__context_key(pack.data, pack.bytes);
        ck_assert(other.a != key.a && other.b != key.b);
        pack.data[i] ^= 1;
    }
    byre__context_fini(&context);
    byre__context_fini(&again);
    byre__pack_fini(&pack);
}
END_TEST

/* A setting of the user's own stays when there is no mpirun around. */
START_TEST(test_foreign)
{
    ck_assert_int_eq(unsetenv("OMPI_COMM_WORLD_SIZE"), 0);
    ck_assert_int_eq(unsetenv("PMIX_RANK"), 0);
    ck_assert(!byre__context_is_foreign("OMPI_MCA_btl=tcp,self"));
    ck_assert(!byre__context_is_foreign("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"));
    ck_assert(!byre__context_is_foreign("PATH=/bin"));
    ck_assert(byre__context_is_foreign("PMI_RANK=0"));
    ck_assert(byre__context_is_foreign("PMIX_NAMESPACE=1"));
    ck_assert(byre__context_is_foreign("OMPI_COMM_WORLD_LOCAL_RANK=0"));
    ck_assert_int_eq(setenv("PMIX_RANK", "0", 1), 0);
    ck_assert(byre__context_is_foreign("OMPI_MCA_btl=tcp,self"));
}
END_TEST

static char a0[] = "prog", a1[] = "", a2[] = "two words";
static char *argv[] = { a0, a1, a2, NULL }, *none[] = { NULL };

START_TEST(test_spec)
{
    char name[] = "name", node[] = "n3", key[] = "key";
    byre__spec_t spec = { .flags = BYRE__JOB_PTY | BYRE__JOB_STREAMS,
                          .argv = argv,
                          .name = name,
                          .node = node,
                          .affinity = key,
                          .cpus = 4,
                          .mem = UINT64_MAX,
                          .rows = 50,
                          .cols = 65535 },
                 again;
    byre__pack_t pack = { 0 };
    byre__pack_spec(&pack, &spec);
    byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
    byre__unpack_spec(&unpack, &again);
    ck_assert(byre__unpack_done(&unpack));
    for (int i = 0; i < 3; i++) ck_assert_str_eq(again.argv[i], argv[i]);
    ck_assert_ptr_null(again.argv[3]);
    ck_assert_str_eq(again.name, "name");
    ck_assert_str_eq(again.node, "n3");
    ck_assert_str_eq(again.affinity, "key");
    ck_assert(again.flags == spec.flags && again.cpus == 4 && again.mem == UINT64_MAX);
    ck_assert(again.rows == 50 && again.cols == 65535);
    byre__spec_fini(&again);
    for (size_t left = 0; left < pack.bytes; left++) {
        unpack = byre__unpack_of(pack.data, left);
        byre__unpack_spec(&unpack, &again);
        ck_assert(!byre__unpack_done(&unpack));
        byre__spec_fini(&again);
    }
    for (int bad = 0; bad < 2; bad++) { /* nothing to run; no processor */
        byre__spec_t wrong = spec;
        if (bad == 0) wrong.argv = none;
        if (bad == 1) wrong.cpus = 0;
        byre__pack_clear(&pack);
        byre__pack_spec(&pack, &wrong);
        unpack = byre__unpack_of(pack.data, pack.bytes);
        byre__unpack_spec(&unpack, &again);
        ck_assert(!byre__unpack_done(&unpack));
        byre__spec_fini(&again);
    }
    byre__pack_fini(&pack);
}
END_TEST

START_TEST(test_row)
{
    byre__row_t row = { .id = { "n1", 5 },
                        .state = BYRE__JOB_ENDED,
                        .flags = 1,
                        .attempt = 2,
                        .cpus = 3,
                        .mem = 4,
                        .node = "n2",
                        .cpu_list = "0-3,8",
                        .name = "name",
                        .command = "a b",
                        .pid = -1,
                        .submitted_ms = 6,
                        .started_ms = 7,
                        .end = { .kind = BYRE__END_NO_EXEC,
                                 .code = -2,
                                 .user_us = 8,
                                 .system_us = 9,
                                 .max_rss_kb = 10,
                                 .started_ms = 11,
                                 .ended_ms = 12,
                                 .out_bytes = 13,
                                 .err_bytes = 14,
                                 .detail = "No such file or directory" } },
                again;
    byre__pack_t pack = { 0 }, packed_again = { 0 };
    byre__pack_row(&pack, &row);
    byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
    byre__unpack_row(&unpack, &again);
    ck_assert(byre__unpack_done(&unpack));
    ck_assert_str_eq(again.end.detail, row.end.detail);
    ck_assert_int_eq(again.pid, -1);
    ck_assert_int_eq(again.end.code, -2);
    byre__pack_row(&packed_again, &again);
    ck_assert_uint_eq(packed_again.bytes, pack.bytes);
    ck_assert(memcmp(packed_again.data, pack.data, pack.bytes) == 0);
    for (size_t left = 0; left < pack.bytes; left++) {
        unpack = byre__unpack_of(pack.data, left);
        byre__unpack_row(&unpack, &again);
        ck_assert(!byre__unpack_done(&unpack));
    }
    row.end.kind = 200;
    byre__pack_clear(&pack);
    byre__pack_row(&pack, &row);
    unpack = byre__unpack_of(pack.data, pack.bytes);
    byre__unpack_row(&unpack, &again);
    ck_assert(!byre__unpack_done(&unpack));
    byre__pack_fini(&pack);
    byre__pack_fini(&packed_again);
}
END_TEST

START_TEST(test_status)
{
    static const struct {
        uint8_t kind;
        int32_t code;
        int status;
    } ends[] = { { BYRE__END_EXITED, 0, 0 },         { BYRE__END_EXITED, 255, 255 },
                 { BYRE__END_SIGNAL, SIGKILL, 137 }, { BYRE__END_CANCELLED, SIGTERM, 143 },
                 { BYRE__END_NO_EXEC, ENOENT, 127 }, { BYRE__END_NO_EXEC, EACCES, 126 },
                 { BYRE__END_NO_CWD, ENOENT, 126 },  { BYRE__END_NO_START, EAGAIN, 126 },
                 { BYRE__END_LOST, 0, 125 },         { BYRE__END_IMPOSSIBLE, 0, 125 } };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        byre__end_t end = { .kind = ends[i].kind, .code = ends[i].code };
        ck_assert_int_eq(byre__end_status(&end), ends[i].status);
    }
    ck_assert_str_eq(byre__job_state_name(BYRE__JOB_QUEUED), "queued");
    ck_assert_str_eq(byre__job_state_name(BYRE__JOB_STARTED), "running");
    ck_assert_str_eq(byre__job_state_name(BYRE__JOB_AWAY), "away");
    ck_assert_str_eq(byre__job_state_name(BYRE__JOB_ENDED), "ended");
    ck_assert_ptr_nonnull(byre__job_state_name(255));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_job");
    TCase *tests = tcase_create("job");
    tcase_add_test(tests, test_ids);
    tcase_add_test(tests, test_context);
    tcase_add_test(tests, test_foreign);
    tcase_add_test(tests, test_spec);
    tcase_add_test(tests, test_row);
    tcase_add_test(tests, test_status);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
