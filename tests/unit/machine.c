/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine as hwloc tells it, on synthetic machines; sets of processors; binding on the real one. */
#include "runtime/machine.h"

#include <byre_errors.h>
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 2 packages x 2 NUMA nodes x 2 L3 caches x 4 cores x 2 hyperthreads = 64. The indexes are hwloc's own:
 * hyperthreads 0 and 1 are core 0, 0-7 share an L3, 0-15 a NUMA node, 0-31 a package. */
#define BIG "package:2 numa:2 l3:2(size=16777216) l2:4(size=524288) l1d:1(size=32768) core:1 pu:2"

/* Tests run in processes of their own (Check forks): the environment is theirs. */
static void load(const char *synthetic)
{
    if (synthetic) {
        setenv("HWLOC_SYNTHETIC", synthetic, 1);
        unsetenv("HWLOC_THISSYSTEM");
    } else {
        unsetenv("HWLOC_SYNTHETIC");
    }
    ck_assert_int_eq(byre__machine_load(), 0);
}

static byre__cpuset_t set_of(const char *text)
{
    byre__cpuset_t set;

    ck_assert_msg(byre__cpuset_parse(text, &set) == 0, "%s", text);
    return set;
}

static void expect_set(const byre__cpuset_t *set, const char *text)
{
    char room[256];

    ck_assert_str_eq(byre__cpuset_format(set, room, sizeof room), text);
}

/* ---- sets ------------------------------------------------------------------------------------ */

START_TEST(set_text)
{
    static const char *const good[] = { "0", "0-3", "1,3,5-7", "63-65,4095" };
    static const char *const bad[] = { "",   "a",    "3-1",         "1,",  ",1",
                                       "1-", "4096", "99999999999", "1 2", "-1" };
    byre__cpuset_t set, empty = { { 0 } };
    char room[8];

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        set = set_of(good[i]);
        expect_set(&set, good[i]);
    }
    set = set_of("3,1,2,2");
    expect_set(&set, "1-3");
    expect_set(&empty, "");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(byre__cpuset_parse(bad[i], &set) == BYRE_EINVAL, "%s", bad[i]);
    }
    expect_set(&set, "1-3"); /* not written on failure */
    set = set_of("100,200,300");
    ck_assert_str_eq(byre__cpuset_format(&set, room, sizeof room), "100,200");
    ck_assert_int_eq(byre__cpuset_count(&set), 3);
}
END_TEST

/* ---- places ---------------------------------------------------------------------------------- */

START_TEST(places)
{
    byre__place_t place;
    byre__cpuset_t set;

    load(BIG);
    byre__machine_allowed(&set);
    expect_set(&set, "0-63");
    ck_assert_int_eq(byre__machine_place_of(0, &place), 0);
    ck_assert_int_eq(place.package, 0);
    ck_assert_int_eq(place.numa, 0);
    ck_assert_int_eq(place.core, 0);
    ck_assert_int_eq(byre__machine_place_of(63, &place), 0);
    ck_assert_int_eq(place.package, 1);
    ck_assert_int_eq(place.numa, 3);
    ck_assert_int_eq(place.l3, 7);
    ck_assert_int_eq(place.core, 31);
    ck_assert_int_eq(place.cpu, 63);
    ck_assert_uint_eq(place.l1_bytes, 32768);
    ck_assert_uint_eq(place.l2_bytes, 524288);
    ck_assert_uint_eq(place.l3_bytes, 16777216);
    ck_assert_int_eq(byre__machine_place_of(64, &place), BYRE_ENOTFOUND);
    ck_assert_int_eq(byre__machine_place_of(-1, &place), BYRE_ENOTFOUND);
    byre__machine_unload();
    ck_assert_int_eq(byre__machine_place_of(0, &place), BYRE_ENOTFOUND);
}
END_TEST

START_TEST(load_is_counted)
{
    load("pu:4");
    load("pu:4");
    byre__machine_unload();
    ck_assert_ptr_nonnull(byre__machine_topology());
    byre__machine_unload();
    ck_assert_ptr_null(byre__machine_topology());
    byre__machine_unload();
    ck_assert_ptr_null(byre__machine_topology());
}
END_TEST

START_TEST(without_caches_or_cores)
{
    byre__place_t place;

    load("pu:4");
    ck_assert_int_eq(byre__machine_place_of(2, &place), 0);
    ck_assert_int_eq(place.l3, -1);
    ck_assert_uint_eq(place.l3_bytes, 0);
    ck_assert_int_eq(place.numa, 0);
    byre__machine_unload();
}
END_TEST

/* ---- the service thread's place -------------------------------------------------------------- */

static void choose(const char *const *ranks, int count, int self, const char *outer,
                   byre__service_choice_t choice, const char *cpus)
{
    byre__cpuset_t sets[8], around = set_of(outer), chosen;

    for (int i = 0; i < count; i++) {
        sets[i] = set_of(ranks[i]);
    }
    ck_assert_int_eq(byre__machine_choose_service_cpus(sets, count, self, &around, &chosen),
                     choice);
    expect_set(&chosen, cpus);
}

START_TEST(choose_same_l3)
{
    static const char *const ranks[] = { "0-1", "2-3" };

    load(BIG);
    choose(ranks, 2, 0, "0-63", BYRE__SERVICE_SPARE_L3, "4-7");
    choose(ranks, 2, 1, "0-63", BYRE__SERVICE_SPARE_L3, "4-7");
    byre__machine_unload();
}
END_TEST

START_TEST(choose_same_numa)
{
    static const char *const ranks[] = { "0-1", "2-3", "4-5", "6-7", "16-17" };

    load(BIG);
    choose(ranks, 5, 0, "0-63", BYRE__SERVICE_SPARE_NUMA, "8-15");
    choose(ranks, 5, 4, "0-63", BYRE__SERVICE_SPARE_L3, "18-23");
    byre__machine_unload();
}
END_TEST

/* Every core of the NUMA node computes, on its first hyperthread only. */
START_TEST(choose_sibling)
{
    static const char *const ranks[] = { "0,2,4,6", "8,10,12,14" };

    load(BIG);
    choose(ranks, 2, 0, "0-63", BYRE__SERVICE_SPARE_SIBLING, "1,3,5,7,9,11,13,15");
    byre__machine_unload();
}
END_TEST

START_TEST(choose_nothing_to_spare)
{
    static const char *const full[] = { "0-7", "8-15" }, *const unbound[] = { "0-63", "0-63" };
    static const char *const one[] = { "0" };

    load(BIG);
    /* The other NUMA nodes are idle, but far from the rank's memory. */
    choose(full, 2, 1, "0-63", BYRE__SERVICE_UNBOUND, "8-15");
    choose(unbound, 2, 0, "0-63", BYRE__SERVICE_UNBOUND, "0-63");
    /* A person said: this processor and no other. */
    choose(one, 1, 0, "0", BYRE__SERVICE_UNBOUND, "0");
    byre__machine_unload();
}
END_TEST

START_TEST(choose_inside_outer)
{
    static const char *const ranks[] = { "0-1" };

    load(BIG);
    choose(ranks, 1, 0, "0-1,6-7,12", BYRE__SERVICE_SPARE_L3, "6-7");
    choose(ranks, 1, 0, "0-1,12", BYRE__SERVICE_SPARE_NUMA, "12");
    byre__machine_unload();
}
END_TEST

/* ---- the real machine ------------------------------------------------------------------------ */

START_TEST(real_machine)
{
    byre__cpuset_t own, allowed, kernel;
    byre__place_t place;

    load(NULL);
    byre__machine_own(&own);
    byre__machine_allowed(&allowed);
    ck_assert_int_eq(byre__cpuset_of_thread(0, &kernel), 0);
    ck_assert(byre__cpuset_equal(&own, &kernel));
    ck_assert_int_ge(byre__machine_allowed_pus(), 1);
    ck_assert_int_le(byre__machine_allowed_pus(), byre__cpuset_count(&own));
    ck_assert_int_eq(byre__machine_where(&place), 0);
    ck_assert(byre__cpuset_has(&allowed, place.cpu));
    byre__machine_unload();
}
END_TEST

START_TEST(bind_is_read_back)
{
    byre__cpuset_t own, one = { { 0 } }, empty = { { 0 } }, absent = { { 0 } };
    int cpu = 0;

    load(NULL);
    byre__machine_own(&own);
    while (!byre__cpuset_has(&own, cpu)) {
        cpu++;
    }
    byre__cpuset_add(&one, cpu);
    ck_assert_int_eq(byre__machine_bind_self(&one), 0);
    ck_assert_int_eq(sched_getcpu(), cpu);
    ck_assert_int_eq(byre__machine_bind_self(&empty), BYRE_EINVAL);
    byre__cpuset_add(&absent, BYRE__CPUSET_MAX - 1);
    ck_assert_int_eq(byre__machine_bind_self(&absent), BYRE_ESYSTEM);
    /* The kernel takes the set and leaves the absent processor out: not what was asked for. */
    byre__cpuset_add(&absent, cpu);
    ck_assert_int_eq(byre__machine_bind_self(&absent), BYRE_ESYSTEM);
    ck_assert_int_eq(byre__machine_bind_self(&own), 0);
    byre__machine_unload();
}
END_TEST

/* A taskset of the user's limits `own' and `outer', whatever the machine has. */
START_TEST(taskset_is_obeyed)
{
    byre__cpuset_t own, outer, one = { { 0 } };
    int cpu = sched_getcpu();

    byre__cpuset_add(&one, cpu);
    ck_assert_int_eq(byre__machine_bind_self(&one), 0);
    unsetenv("OMPI_MCA_orte_bound_at_launch");
    load(NULL);
    byre__machine_own(&own);
    byre__machine_outer(&outer);
    ck_assert(byre__cpuset_equal(&own, &one));
    ck_assert(byre__cpuset_equal(&outer, &one));
    ck_assert_int_eq(byre__machine_allowed_pus(), 1);
    byre__machine_unload();
}
END_TEST

/* Bound by mpirun, whose own binding is the parent's: here the process that runs the tests. */
START_TEST(launcher_binding_may_be_left)
{
    byre__cpuset_t own, outer, parent, one = { { 0 } };

    byre__cpuset_add(&one, sched_getcpu());
    ck_assert_int_eq(byre__machine_bind_self(&one), 0);
    setenv("OMPI_MCA_orte_bound_at_launch", "1", 1);
    load(NULL);
    byre__machine_own(&own);
    byre__machine_outer(&outer);
    ck_assert_int_eq(byre__cpuset_of_thread(getppid(), &parent), 0);
    ck_assert(byre__cpuset_equal(&own, &one));
    ck_assert(byre__cpuset_equal(&outer, &parent));
    byre__machine_unload();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("machine");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(all, set_text);
    tcase_add_test(all, places);
    tcase_add_test(all, load_is_counted);
    tcase_add_test(all, without_caches_or_cores);
    tcase_add_test(all, choose_same_l3);
    tcase_add_test(all, choose_same_numa);
    tcase_add_test(all, choose_sibling);
    tcase_add_test(all, choose_nothing_to_spare);
    tcase_add_test(all, choose_inside_outer);
    tcase_add_test(all, real_machine);
    tcase_add_test(all, bind_is_read_back);
    tcase_add_test(all, taskset_is_obeyed);
    tcase_add_test(all, launcher_binding_may_be_left);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
