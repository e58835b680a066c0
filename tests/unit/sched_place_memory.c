/* SPDX-License-Identifier: BSD-3-Clause */
/* Placing without memory: the k-th allocation fails, for every k. A call then does all it says, or nothing. */
#include "sched_place.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

static long until_failure = -1; /* allocations that still succeed; < 0: all */

static bool armed; /* only in the calls under test: Check allocates too */

static int refuse(void)
{
    return armed && until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t bytes)
{
    return refuse() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return refuse() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return refuse() ? NULL : __real_realloc(old, bytes);
}

/* Some jobs with keys, one after the other failing or not: the books are those of the jobs that were taken. */
static int story(byre__placer_t *placer)
{
    static const char *const keys[] = { "", "a", "b", "a" };
    uint32_t used = 0;
    int failures = 0;

    for (uint64_t job = 1; job <= 4; job++) {
        byre__place_request_t request = {
            .job = job, .cpus = (uint32_t)job, .mem = job, .affinity = keys[job - 1]
        };
        byre__placement_t placement;
        int status;

        armed = true;
        byre__placer_expect(placer, &request);
        status = job == 2 ? byre__placer_retake(placer, &request, "6-7")
                          : byre__placer_take(placer, &request, &placement, NULL);
        armed = false;
        /* The key's own processors may be busy: that is right. */
        ck_assert_msg(status == BYRE_OK || status == BYRE_ENOMEM || status == BYRE_EAGAIN, "%d",
                      status);
        used += status == BYRE_OK ? request.cpus : 0;
        failures += status == BYRE_ENOMEM;
        ck_assert_uint_eq(byre__placer_used(placer), used);
        ck_assert_uint_eq(byre__placer_mem_used(placer), used);
    }
    for (uint64_t job = 1; job <= 4; job++) {
        byre__placer_give(placer, job);
        byre__placer_unexpect(placer, job);
    }
    ck_assert_uint_eq(byre__placer_used(placer), 0);
    return failures;
}

START_TEST(every_allocation)
{
    byre__place_config_t config = { .policy = byre__place_policies()[_i], .bind = true };
    int failed_create = 0, failed_jobs = 0;
    byre__cpuset_t allowed;
    long k = 0;

    build("pack:2 l3:2 core:4 pu:1");
    byre__machine_allowed_in(topology, &allowed);
    do {
        byre__placer_t *placer = NULL;
        int status;

        until_failure = k++;
        armed = true;
        status = byre__placer_create(topology, &allowed, &config, &placer);
        armed = false;
        ck_assert_msg(status == BYRE_OK || status == BYRE_ENOMEM, "%d", status);
        failed_create += status != BYRE_OK;
        if (status == BYRE_OK) failed_jobs += story(placer);
        byre__placer_destroy(placer);
    } while (until_failure < 0);
    ck_assert_int_gt(failed_create, 10);
    ck_assert_int_gt(failed_jobs, 2);
    hwloc_topology_destroy(topology);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_place_memory");
    TCase *all = tcase_create("all");

    tcase_add_loop_test(all, every_allocation, 0, 5);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
