/* SPDX-License-Identifier: BSD-3-Clause */
/* Placing on synthetic machines: the exact processors, one request after the other, and the five policies on
 * scripted histories. */
#include "sched_place.h"

/* Hyperthreads 0 and 1 are core 0; 0-7 share an L3, 0-15 a NUMA node, 0-31 a package. */
#define BIG "pack:2 numa:2 l3:2 core:4 pu:2"

static byre__placer_t *placer;

static int create(const char *allowed, byre__place_config_t config)
{
    byre__cpuset_t set = { { 0 } };

    if (allowed) {
        ck_assert_int_eq(byre__cpuset_parse(allowed, &set), 0);
    } else {
        byre__machine_allowed_in(topology, &set);
    }
    return byre__placer_create(topology, &set, &config, &placer);
}

static void start(const char *synthetic, const char *policy, bool smt)
{
    build(synthetic);
    ck_assert_int_eq(
        create(NULL, (byre__place_config_t){ .policy = policy, .smt = smt, .bind = true }),
        BYRE_OK);
}

static void stop(void)
{
    byre__placer_destroy(placer);
    hwloc_topology_destroy(topology);
}

/* A line of a script. '+': take, which must give `cpus'; '.': take, which must wait for `cpus'; '-': give;
 * 'q': expect; 'u': not any more. */
typedef struct step {
    uint64_t job;
    const char *key, *cpus;
    uint32_t n;
    char what;
} step_t;

static void one_step(const step_t *step, int at)
{
    byre__place_request_t request = { .job = step->job,
                                      .cpus = step->n,
                                      .affinity = step->key ? step->key : "" };
    byre__placement_t placement = { .cpus = "nothing" };
    char wait[BYRE__CPU_LIST] = "nothing";
    int status;

    switch (step->what) {
    case '+':
        status = byre__placer_take(placer, &request, &placement, wait);
        ck_assert_msg(status == BYRE_OK, "step %d: %d, waits for \"%s\"", at, status, wait);
        ck_assert_msg(strcmp(placement.cpus, step->cpus) == 0, "step %d: \"%s\", not \"%s\"", at,
                      placement.cpus, step->cpus);
        return;
    case '.':
        status = byre__placer_take(placer, &request, &placement, wait);
        ck_assert_msg(status == BYRE_EAGAIN, "step %d: %d \"%s\"", at, status, placement.cpus);
        ck_assert_msg(strcmp(wait, step->cpus) == 0, "step %d: \"%s\"", at, wait);
        return;
    case '-':
        byre__placer_give(placer, step->job);
        return;
    case 'q':
        byre__placer_expect(placer, &request);
        return;
    case 'u':
        byre__placer_unexpect(placer, step->job);
        return;
    }
    ck_abort_msg("step %d: what is '%c'?", at, step->what);
}

static void play(const step_t *step, size_t count)
{
    for (size_t i = 0; i < count; i++) one_step(&step[i], (int)i);
}

#define TAKE(job, n, key, cpus) \
    {                           \
        job, key, cpus, n, '+'  \
    }
#define WAIT(job, n, key, cpus) \
    {                           \
        job, key, cpus, n, '.'  \
    }
#define EXPECT(job, n, key)    \
    {                          \
        job, key, NULL, n, 'q' \
    }
#define GIVE(job)               \
    {                           \
        job, NULL, NULL, 0, '-' \
    }
#define FORGET(job)             \
    {                           \
        job, NULL, NULL, 0, 'u' \
    }
#define PLAY(...)                                       \
    do {                                                \
        static const step_t steps_[] = { __VA_ARGS__ }; \
        play(steps_, sizeof steps_ / sizeof steps_[0]); \
    } while (0)

/* ---- machines ----------------------------------------------------------------------------------- */

/* One after the other: as far from each other as can be. */
START_TEST(alone_most_free_cache)
{
    start(BIG, "fcfs", false);
    PLAY(TAKE(1, 1, 0, "0-1"), TAKE(2, 1, 0, "32-33"), TAKE(3, 1, 0, "16-17"),
         TAKE(4, 1, 0, "48-49"), TAKE(5, 1, 0, "8-9"), TAKE(6, 1, 0, "40-41"),
         TAKE(7, 1, 0, "24-25"), TAKE(8, 1, 0, "56-57"), TAKE(9, 1, 0, "2-3"), GIVE(3),
         TAKE(10, 1, 0, "16-17"));
    stop();
}
END_TEST

START_TEST(together_tightest)
{
    start(BIG, "fcfs", false);
    PLAY(TAKE(1, 4, 0, "0-7"), TAKE(2, 4, 0, "8-15"), TAKE(3, 3, 0, "16-21"),
         TAKE(4, 1, 0, "32-33"),        /* alone: far away */
         TAKE(5, 3, 0, "34-39"),        /* together: the hole that fits, not a whole L3 */
         TAKE(6, 16, 0, "24-31,40-63"), /* anywhere: what is left of a package, and one L3 */
         WAIT(7, 2, 0, ""), TAKE(8, 1, 0, "22-23"), WAIT(9, 1, 0, ""));
    stop();
}
END_TEST

START_TEST(together_by_level)
{
    start(BIG, "fcfs", false);
    PLAY(TAKE(1, 5, 0, "0-9"),    /* no L3 has five cores: a NUMA node */
         TAKE(2, 5, 0, "16-25"),  /* the next, in the package that is broken into already */
         TAKE(3, 16, 0, "32-63"), /* a package */
         TAKE(4, 3, 0, "10-15"),  /* what is left of an L3 */
         TAKE(5, 3, 0, "26-31"), GIVE(3), GIVE(1), TAKE(6, 20, 0, "0-7,32-63"), GIVE(6), GIVE(2),
         GIVE(4), GIVE(5), TAKE(7, 32, 0, "0-63"), GIVE(7),
         TAKE(8, 9, 0, "0-17") /* a package: one NUMA node, one core of the next */);
    stop();
}
END_TEST

START_TEST(hyperthreads_count)
{
    start(BIG, "fcfs", true);
    ck_assert_uint_eq(byre__placer_slots(placer), 64);
    PLAY(TAKE(1, 1, 0, "0"), TAKE(2, 1, 0, "32"), /* idle cores before busy ones */
         TAKE(3, 2, 0, "2-3"),                    /* one core for two */
         TAKE(4, 3, 0, "1,4-5"), /* in the L3 with the least room: a core, and a half */
         TAKE(5, 8, 0, "8-15"), TAKE(6, 9, 0, "33,40-47"));
    stop();
    /* Of every core one thread before any core's other one. */
    start("pack:1 l3:1 core:3 pu:2", "fcfs", true);
    PLAY(TAKE(1, 1, 0, "0"), TAKE(2, 1, 0, "2"), TAKE(3, 1, 0, "4"), TAKE(4, 1, 0, "1"), GIVE(2),
         TAKE(5, 1, 0, "2"));
    stop();
}
END_TEST

/* As Linux counts: the second threads come after all first ones. A core is given whole. */
START_TEST(cores_as_linux_counts)
{
    start("pack:1 l3:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", "fcfs", false);
    PLAY(TAKE(1, 2, 0, "0-1,4-5"), TAKE(2, 1, 0, "2,6"), TAKE(3, 1, 0, "3,7"));
    stop();
}
END_TEST

/* Only "pu:N" is flat: no cores, no caches; the first processors. */
START_TEST(flat)
{
    start("pu:4", "fcfs", false);
    PLAY(TAKE(1, 1, 0, "0"), TAKE(2, 2, 0, "1-2"), WAIT(3, 2, 0, ""), TAKE(4, 1, 0, "3"));
    stop();
}
END_TEST

START_TEST(one_core)
{
    start("pack:1 core:1 pu:1", "mi-queue", false);
    PLAY(TAKE(1, 1, "a", "0"), WAIT(2, 1, "a", "0"), GIVE(1), TAKE(2, 1, "a", "0"));
    ck_assert(!byre__placer_fits(placer, 2, 0));
    stop();
}
END_TEST

/* NUMA nodes inside an L3 (sub-NUMA clustering): the node is the smaller one. */
START_TEST(numa_inside_l3)
{
    start("pack:1 l3:2 numa:2 core:3 pu:1", "fcfs", false);
    PLAY(TAKE(1, 2, 0, "0-1"), TAKE(2, 2, 0, "3-4"), TAKE(3, 3, 0, "6-8"), TAKE(4, 3, 0, "9-11"),
         TAKE(5, 2, 0, "2,5"));
    stop();
}
END_TEST

/* The L3 that has least room has it in two nodes: a node elsewhere is nearer to itself. */
START_TEST(numa_before_its_l3)
{
    build("pack:1 l3:2 numa:2 core:3 pu:1");
    ck_assert_int_eq(create("0,3,6-11", (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    PLAY(TAKE(1, 2, 0, "6-7"), TAKE(2, 2, 0, "9-10"), TAKE(3, 2, 0, "0,3"), TAKE(4, 2, 0, "8,11"));
    stop();
}
END_TEST

/* Half of an L3 of each package is forbidden. */
START_TEST(asymmetric_by_right)
{
    static const char half[] = "0-5,8-13";

    build("pack:2 l3:2 core:4 pu:1");
    ck_assert_int_eq(create(half, (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    ck_assert_uint_eq(byre__placer_slots(placer), 12);
    PLAY(TAKE(1, 2, 0, "4-5"),   /* the L3 of which only two are allowed */
         TAKE(2, 2, 0, "12-13"), /* the other such one */
         TAKE(3, 4, 0, "0-3"), TAKE(4, 3, 0, "8-10"), GIVE(1),
         TAKE(5, 3, 0, "4-5,11")); /* nothing else is left */
    stop();
}
END_TEST

/* Takes the last line with `begin' out of hwloc's XML, and the end of that object: what was inside stays. */
static void take_out(char *xml, const char *begin)
{
    char *line = NULL, *next, *end;
    char close[32];

    for (char *at = xml; (at = strstr(at, begin)) != NULL; at++) line = at;
    ck_assert_ptr_nonnull(line);
    while (line > xml && line[-1] != '\n') line--;
    snprintf(close, sizeof close, "\n%.*s</object>\n", (int)strspn(line, " "), line);
    next = strchr(line, '\n') + 1;
    end = strstr(next, close);
    ck_assert_ptr_nonnull(end);
    memmove(end, end + strlen(close) - 1, strlen(end + strlen(close) - 1) + 1);
    memmove(line, next, strlen(next) + 1);
}

/* The second package has no L3. */
START_TEST(asymmetric)
{
    char *xml, *copy;
    int length;

    build("pack:2 l3:2 core:2 pu:1");
    ck_assert_int_eq(hwloc_topology_export_xmlbuffer(topology, &xml, &length, 0), 0);
    copy = strdup(xml);
    hwloc_free_xmlbuffer(topology, xml);
    hwloc_topology_destroy(topology);
    take_out(copy, "type=\"L3Cache\"");
    take_out(copy, "type=\"L3Cache\"");
    ck_assert_int_eq(byre__machine_import(copy, &topology), BYRE_OK);
    free(copy);
    ck_assert_int_eq(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_L3CACHE), 2);
    ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    PLAY(TAKE(1, 2, 0, "0-1"), /* an L3 */
         TAKE(2, 3, 0, "4-6"), /* no L3 has room: the package that has */
         TAKE(3, 1, 0, "2"),   /* the L3 with two, not the package with one */
         TAKE(4, 2, 0, "3,7"), WAIT(5, 1, 0, ""));
    stop();
}
END_TEST

START_TEST(allowed_only)
{
    build(BIG);
    ck_assert_int_eq(create("1,6-9,40", (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    ck_assert_uint_eq(byre__placer_slots(placer), 4); /* cores 0, 3, 4, 20 */
    PLAY(TAKE(1, 2, 0, "1,6-7"), TAKE(2, 1, 0, "40"), TAKE(3, 1, 0, "8-9"), WAIT(4, 1, 0, ""));
    byre__placer_destroy(placer);
    ck_assert_int_eq(
        create("1,6-9,40", (byre__place_config_t){ .policy = "fcfs", .bind = true, .smt = true }),
        BYRE_OK);
    ck_assert_uint_eq(byre__placer_slots(placer), 6);
    PLAY(TAKE(1, 6, 0, "1,6-9,40"));
    stop();
}
END_TEST

/* Processors above 4095 are not seen. */
START_TEST(the_most)
{
    byre__placement_t placement;
    byre__place_request_t request = { .job = 1, .cpus = 4096, .affinity = "" };

    start("pack:9 numa:8 core:64 pu:1", "fcfs", false);
    ck_assert_uint_eq(byre__placer_slots(placer), 4096);
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "0-4095");
    ck_assert_str_eq(placement.nodes, "0-63");
    ck_assert_int_eq(placement.package, -1);
    byre__placer_give(placer, 1);
    PLAY(TAKE(1, 512, 0, "0-511"), TAKE(2, 65, 0, "512-576"), TAKE(3, 63, 0, "577-639"),
         TAKE(4, 64, 0, "640-703"));
    stop();
}
END_TEST

/* A list that does not fit would name other processors if it were cut off: the job is not bound. */
START_TEST(list_too_long)
{
    byre__placement_t placement;
    char allowed[4096] = "";
    byre__place_request_t request = { .job = 1, .cpus = 100, .affinity = "" };

    for (int i = 0; i < 100; i++) {
        snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%d", i ? "," : "",
                 1000 + 2 * i);
    }
    build("core:2000 pu:1");
    ck_assert_int_eq(create(allowed, (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "");
    ck_assert_uint_eq(byre__placer_used(placer), 100);
    byre__placer_give(placer, 1);
    request.cpus = 51; /* 51 numbers, 50 commas: 254 */
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_uint_eq(strlen(placement.cpus), 254);
    stop();
}
END_TEST

/* ---- policies ----------------------------------------------------------------------------------- */

START_TEST(fixed)
{
    start("pack:2 l3:1 core:2 pu:1", "fixed", false);
    PLAY(TAKE(1, 1, "a", "0"), GIVE(1), TAKE(2, 1, "b", "2"), GIVE(2), /* not on a's */
         TAKE(3, 1, "a", "0"), WAIT(4, 1, "a", "0"),                   /* though three are free */
         TAKE(5, 1, 0, "3"),                                  /* no key: where no key is at home */
         GIVE(3), TAKE(4, 1, "a", "0"), WAIT(6, 2, "a", "0"), /* two: its own, when free, */
         GIVE(4), TAKE(6, 2, "a", "0-1"), GIVE(6),            /* and the neighbour, for good */
         TAKE(7, 1, "a", "0"), TAKE(8, 1, "a", "1"), WAIT(9, 1, "a", "0-1"));
    stop();
}
END_TEST

/* A new key takes the one that is nobody's, though there is more room where others are at home. */
START_TEST(fixed_spreads)
{
    start("pack:2 l3:1 core:2 pu:1", "fixed", false);
    PLAY(TAKE(1, 1, "a", "0"), TAKE(2, 1, "b", "2"), GIVE(2), TAKE(3, 1, "c", "3"), GIVE(3),
         TAKE(4, 1, "d", "1"));
    stop();
}
END_TEST

/* Several at once: an L3 where no key is at home. */
START_TEST(others_homes_are_spared)
{
    start("pack:1 l3:3 core:2 pu:1", "last", false);
    PLAY(TAKE(1, 2, "a", "0-1"), GIVE(1), TAKE(2, 3, 0, "2-4"), GIVE(2), TAKE(3, 2, 0, "2-3"),
         GIVE(3), TAKE(4, 2, "a", "0-1"));
    stop();
}
END_TEST

START_TEST(last)
{
    start("pack:2 l3:1 core:2 pu:1", "last", false);
    PLAY(TAKE(1, 1, "a", "0"), GIVE(1), TAKE(2, 1, "b", "2"), /* not near a's */
         TAKE(3, 1, 0, "1"), GIVE(2), TAKE(4, 1, "a", "0"),   /* there it was */
         TAKE(5, 1, "a", "3"), GIVE(4),                       /* busy: any */
         TAKE(6, 1, "a", "0"), GIVE(5), GIVE(6),              /* the one that ended last */
         TAKE(7, 1, "a", "0"), GIVE(3), GIVE(7), TAKE(8, 2, "a", "0-1"), GIVE(8),
         TAKE(9, 1, "a", "0"), TAKE(10, 1, "b", "2"), TAKE(11, 1, "b", "1"), TAKE(12, 1, "b", "3"),
         WAIT(13, 1, "b", ""));
    stop();
}
END_TEST

START_TEST(last_of_several)
{
    start(BIG, "last", false);
    PLAY(TAKE(1, 4, "a", "0-7"), TAKE(2, 4, "b", "8-15"), GIVE(1), GIVE(2), TAKE(3, 4, "b", "8-15"),
         GIVE(3), TAKE(4, 3, "b", "8-13"), GIVE(4),
         TAKE(5, 1, 0, "32-33"), /* where neither of them was */
         TAKE(6, 3, "b", "8-13"), GIVE(6), TAKE(7, 6, "b", "0-3,8-15"));
    stop();
}
END_TEST

START_TEST(minimum_intervening)
{
    start("pack:1 l3:1 core:3 pu:1", "minimum-intervening", false);
    PLAY(TAKE(1, 1, "a", "0"), TAKE(2, 1, "a", "1"), TAKE(3, 1, "b", "2"), GIVE(1), GIVE(2),
         GIVE(3),
         /* Three others on 0, one on 1. */
         TAKE(4, 1, 0, "0"), GIVE(4), TAKE(5, 1, 0, "0"), GIVE(5), TAKE(6, 1, 0, "0"),
         TAKE(7, 1, 0, "1"), GIVE(6), GIVE(7),
         TAKE(8, 1, "a", "1"), /* one other job since, not three */
         TAKE(9, 1, "a", "0"), /* three, but it has been there */
         TAKE(10, 1, "b", "2"), WAIT(11, 1, "b", ""), GIVE(9), GIVE(8), GIVE(10),
         /* b has run on 2 only: none is as good, though 0 is first. */
         TAKE(12, 1, "b", "2"), TAKE(13, 1, "a", "0"), TAKE(14, 1, "a", "1"));
    stop();
}
END_TEST

/* Of two free L3s, the one that has run fewer others. */
START_TEST(minimum_intervening_of_several)
{
    start("pack:1 l3:2 core:2 pu:1", "minimum-intervening", false);
    PLAY(TAKE(1, 2, "a", "0-1"), TAKE(2, 2, "b", "2-3"), GIVE(1), GIVE(2), TAKE(3, 2, "b", "2-3"),
         TAKE(4, 2, "a", "0-1"), GIVE(3), GIVE(4), TAKE(5, 2, "b", "2-3"), TAKE(6, 2, "b", "0-1"));
    stop();
}
END_TEST

START_TEST(mi_queue)
{
    start("pack:1 l3:1 core:2 pu:1", "mi-queue", false);
    PLAY(TAKE(1, 1, "a", "0"), GIVE(1), TAKE(2, 1, 0, "1"), TAKE(3, 1, 0, "0"), GIVE(2),
         WAIT(4, 1, "a", "0"), EXPECT(4, 1, "a"), /* one other: still warm, and 1 is cold */
         WAIT(5, 1, "a", "0"), EXPECT(5, 1, "a"), WAIT(6, 1, "a", "0"), EXPECT(6, 1, "a"),
         TAKE(7, 1, "a", "1"),          /* one has been there, three wait: as good as cold */
         GIVE(3), TAKE(4, 1, "a", "0"), /* at once: those behind it do not count */
         WAIT(5, 1, "a", "1"), GIVE(7), TAKE(5, 1, "a", "1"), FORGET(6), GIVE(4),
         TAKE(8, 1, "a", "0"));
    ck_assert_uint_eq(byre__placer_used(placer), 2);
    stop();
}
END_TEST

/* Cold is cold: after four others on 0 the key goes where there is room. */
START_TEST(mi_queue_cold)
{
    start("pack:1 l3:1 core:2 pu:1", "mi-queue", false);
    PLAY(TAKE(1, 1, "a", "0"), GIVE(1), TAKE(2, 1, 0, "1"), TAKE(3, 1, 0, "0"), GIVE(3),
         TAKE(4, 1, 0, "0"), GIVE(4), TAKE(5, 1, 0, "0"), GIVE(2), WAIT(6, 1, "a", "0"), GIVE(5),
         TAKE(7, 1, 0, "1"), TAKE(8, 1, 0, "0"), GIVE(7), TAKE(6, 1, "a", "1"));
    stop();
}
END_TEST

/* ---- the books ---------------------------------------------------------------------------------- */

START_TEST(counted_not_bound)
{
    byre__placement_t placement;
    byre__place_request_t request = { .job = 7, .cpus = 90, .affinity = "a" };

    build("pack:1 core:2 pu:1");
    ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = "fixed", .slots = 100 }),
                     BYRE_OK);
    ck_assert_uint_eq(byre__placer_slots(placer), 100);
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "");
    ck_assert_str_eq(placement.nodes, "");
    PLAY(TAKE(1, 10, "a", ""), WAIT(2, 1, "a", ""), GIVE(7), TAKE(2, 1, "a", ""));
    ck_assert_uint_eq(byre__placer_used(placer), 11);
    stop();
}
END_TEST

START_TEST(fewer_slots_than_processors)
{
    build(BIG);
    ck_assert_int_eq(
        create(NULL, (byre__place_config_t){ .policy = "fcfs", .slots = 3, .bind = true }),
        BYRE_OK);
    PLAY(TAKE(1, 2, 0, "0-3"), WAIT(2, 2, 0, ""), TAKE(3, 1, 0, "32-33"), WAIT(4, 1, 0, ""));
    stop();
}
END_TEST

START_TEST(refused)
{
    byre__placement_t placement;
    byre__place_request_t none = { .job = 1, .affinity = "" }, many = { .job = 1, .cpus = 3 },
                          nobody = { .cpus = 1 }, one = { .job = 1, .cpus = 1 };

    build("pack:1 core:2 pu:1");
    ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = "best" }), BYRE_EINVAL);
    ck_assert_int_eq(
        create(NULL, (byre__place_config_t){ .policy = "fcfs", .bind = true, .slots = 3 }),
        BYRE_EINVAL);
    ck_assert_int_eq(create("77", (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_EINVAL);
    ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = "fcfs", .bind = true }),
                     BYRE_OK);
    ck_assert_int_eq(byre__placer_take(placer, &none, &placement, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre__placer_take(placer, &nobody, &placement, NULL), BYRE_EINVAL);
    ck_assert_int_eq(byre__placer_take(placer, &many, &placement, NULL), BYRE_ERANGE);
    ck_assert_int_eq(byre__placer_take(placer, &one, &placement, NULL), BYRE_OK);
    ck_assert_int_eq(byre__placer_take(placer, &one, &placement, NULL), BYRE_EEXIST);
    ck_assert_int_eq(byre__placer_retake(placer, &one, "1"), BYRE_EEXIST);
    byre__placer_give(placer, 99);
    byre__placer_unexpect(placer, 1);
    ck_assert_uint_eq(byre__placer_used(placer), 1);
    for (const char *const *name = byre__place_policies(); *name; name++) {
        byre__placer_destroy(placer);
        ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = *name }), BYRE_OK);
    }
    stop();
}
END_TEST

static int take_mem(uint64_t job, uint32_t cpus, uint64_t mem, byre__placement_t *placement)
{
    byre__place_request_t request = { .job = job, .cpus = cpus, .mem = mem, .affinity = "" };

    return byre__placer_take(placer, &request, placement, NULL);
}

START_TEST(memory)
{
    const uint64_t gib = UINT64_C(1) << 30;
    byre__placement_t placement;

    start("pack:2 [numa(memory=4294967296)] core:4 pu:1", "fcfs", false);
    ck_assert_uint_eq(byre__placer_mem(placer), 8 * gib);
    ck_assert(!byre__placer_fits(placer, 1, 8 * gib + 1));
    ck_assert_int_eq(take_mem(1, 2, 3 * gib, &placement), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "0-1");
    ck_assert_str_eq(placement.nodes, "0");
    ck_assert_int_eq(placement.numa, 0);
    /* The tightest place has one GiB left: the other one. */
    ck_assert_int_eq(take_mem(2, 2, 2 * gib, &placement), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "4-5");
    ck_assert_str_eq(placement.nodes, "1");
    ck_assert_int_eq(take_mem(3, 1, 4 * gib, &placement), BYRE_EAGAIN);
    ck_assert_int_eq(take_mem(3, 1, 9 * gib, &placement), BYRE_ERANGE);
    /* Neither node has so much left, both together do: any memory. */
    ck_assert_int_eq(take_mem(3, 1, 3 * gib, &placement), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "2");
    ck_assert_str_eq(placement.nodes, "");
    ck_assert_uint_eq(byre__placer_mem_used(placer), 8 * gib);
    ck_assert_int_eq(take_mem(4, 1, 1, &placement), BYRE_EAGAIN);
    byre__placer_give(placer, 1);
    ck_assert_int_eq(take_mem(4, 2, 3 * gib, &placement), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "0-1");
    ck_assert_str_eq(placement.nodes, "0");
    byre__placer_destroy(placer);
    ck_assert_int_eq(create(NULL, (byre__place_config_t){ .policy = "fcfs", .mem = gib }), BYRE_OK);
    ck_assert(!byre__placer_fits(placer, 1, gib + 1) && byre__placer_fits(placer, 8, gib));
    stop();
}
END_TEST

START_TEST(where_it_is)
{
    byre__placement_t placement;

    start(BIG, "fcfs", false);
    ck_assert_int_eq(take_mem(1, 17, 0, &placement), BYRE_OK);
    ck_assert_str_eq(placement.nodes, "0-2");
    ck_assert(placement.package == -1 && placement.numa == -1 && placement.l3 == -1);
    ck_assert_int_eq(take_mem(2, 3, 0, &placement), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "34-39");
    ck_assert_str_eq(placement.nodes, "2");
    ck_assert(placement.package == 1 && placement.numa == 2 && placement.l3 == 4);
    ck_assert_int_eq(take_mem(3, 5, 0, &placement), BYRE_OK);
    ck_assert(placement.package == 1 && placement.numa == 3 && placement.l3 == -1);
    stop();
}
END_TEST

START_TEST(taken_back)
{
    byre__place_request_t request = { .job = 1, .cpus = 2, .mem = 1, .affinity = "a" };

    start("pack:2 l3:1 core:2 pu:1", "last", false);
    ck_assert_int_eq(byre__placer_retake(placer, &request, "2-3,99"), BYRE_OK);
    request.job = 2;
    ck_assert_int_eq(byre__placer_retake(placer, &request, "3-2"), BYRE_EINVAL);
    /* The same processors, as after a change of slots: both have them. */
    request.cpus = 1;
    ck_assert_int_eq(byre__placer_retake(placer, &request, "3"), BYRE_OK);
    ck_assert_uint_eq(byre__placer_used(placer), 3);
    PLAY(TAKE(3, 1, 0, "0"), WAIT(4, 1, 0, ""), /* three and one are four */
         GIVE(1), GIVE(3), TAKE(5, 1, "a", "2"), TAKE(6, 1, "a", "0"), GIVE(2),
         TAKE(7, 1, "a", "3"));
    byre__placer_give(placer, 7);
    /* Not bound: counted. */
    request.job = 8;
    ck_assert_int_eq(byre__placer_retake(placer, &request, ""), BYRE_OK);
    PLAY(TAKE(9, 1, 0, "1"), WAIT(10, 1, 0, ""), GIVE(8), TAKE(10, 1, 0, "3"));
    ck_assert_uint_eq(byre__placer_mem_used(placer), 0);
    stop();
}
END_TEST

/* More keys than are remembered: homes stay evenly spread, and the newest are remembered. */
START_TEST(many_keys)
{
    static char cpu[40001];
    char key[32];
    int tally[4] = { 0 };
    byre__placement_t placement;
    byre__place_request_t request = { .cpus = 1, .affinity = key };

    start("pack:1 l3:1 core:4 pu:1", "fixed", false);
    for (uint64_t job = 1; job <= 40000; job++) {
        snprintf(key, sizeof key, "key%d", (int)job);
        request.job = job;
        ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
        cpu[job] = placement.cpus[0];
        tally[cpu[job] - '0']++;
        byre__placer_give(placer, job);
    }
    for (int i = 0; i < 4; i++) ck_assert(tally[i] > 9990 && tally[i] < 10010);
    for (uint64_t job = 40000 - 16383; job <= 40000; job++) {
        snprintf(key, sizeof key, "key%d", (int)job);
        request.job = job;
        ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
        ck_assert_int_eq(placement.cpus[0], cpu[job]);
        byre__placer_give(placer, job);
    }
    stop();
}
END_TEST

/* Only the warmest places of a key are remembered: of 70, the 64 with the fewest others since. */
START_TEST(key_with_many_places)
{
    byre__placement_t placement;
    byre__place_request_t request = { .cpus = 1, .affinity = "a" };
    char text[16];

    start("core:70 pu:1", "minimum-intervening", false);
    for (request.job = 1; request.job <= 64; request.job++) {
        ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    }
    /* Two others on 7: it is given up for the place of the 65th. */
    byre__placer_give(placer, 8);
    for (request.job = 100, request.affinity = ""; request.job < 102; request.job++) {
        ck_assert_int_eq(byre__placer_retake(placer, &request, "7"), BYRE_OK);
        byre__placer_give(placer, request.job);
    }
    ck_assert_int_eq(byre__placer_retake(placer, &request, "7,65-69"), BYRE_OK);
    request = (byre__place_request_t){ .job = 65, .cpus = 1, .affinity = "a" };
    ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
    ck_assert_str_eq(placement.cpus, "64");
    for (uint64_t job = 1; job <= 102; job++) byre__placer_give(placer, job);
    for (request.job = 1; request.job <= 65; request.job++) {
        ck_assert_int_eq(byre__placer_take(placer, &request, &placement, NULL), BYRE_OK);
        snprintf(text, sizeof text, "%d", (int)request.job - (request.job <= 7 ? 1 : 0));
        /* 0 to 6, 8 to 64; then 7, where three others have been, or a place it has never seen. */
        if (request.job < 65) ck_assert_str_eq(placement.cpus, text);
    }
    ck_assert_str_ne(placement.cpus, "64");
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_place");
    TCase *all = tcase_create("all");

    tcase_add_test(all, alone_most_free_cache);
    tcase_add_test(all, together_tightest);
    tcase_add_test(all, together_by_level);
    tcase_add_test(all, hyperthreads_count);
    tcase_add_test(all, cores_as_linux_counts);
    tcase_add_test(all, flat);
    tcase_add_test(all, one_core);
    tcase_add_test(all, numa_inside_l3);
    tcase_add_test(all, numa_before_its_l3);
    tcase_add_test(all, fixed_spreads);
    tcase_add_test(all, others_homes_are_spared);
    tcase_add_test(all, key_with_many_places);
    tcase_add_test(all, asymmetric);
    tcase_add_test(all, asymmetric_by_right);
    tcase_add_test(all, allowed_only);
    tcase_add_test(all, the_most);
    tcase_add_test(all, list_too_long);
    tcase_add_test(all, fixed);
    tcase_add_test(all, last);
    tcase_add_test(all, last_of_several);
    tcase_add_test(all, minimum_intervening);
    tcase_add_test(all, minimum_intervening_of_several);
    tcase_add_test(all, mi_queue);
    tcase_add_test(all, mi_queue_cold);
    tcase_add_test(all, counted_not_bound);
    tcase_add_test(all, fewer_slots_than_processors);
    tcase_add_test(all, refused);
    tcase_add_test(all, memory);
    tcase_add_test(all, where_it_is);
    tcase_add_test(all, taken_back);
    tcase_add_test(all, many_keys);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
