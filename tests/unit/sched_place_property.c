/* SPDX-License-Identifier: BSD-3-Clause */
/* Placing at random, against an oracle that knows hwloc's objects and nothing of slots, domains and ranks.
 *
 *   P1  what is given is allowed, was free, and is as much as was asked for
 *   P2  who does not get is told rightly: too few are free, or what it shall wait for is busy
 *   P3  several: no L3, NUMA node, package with room for them was passed by, and of its kind the tightest
 *       was taken; a NUMA node has given no more of its L3s than it had to
 *   P4  one: no other L3 had more room; with hyperthreads, no idle core was passed by
 *   P5  memory nodes and numbers are those of the processors
 *   P6  when all is given back, all can be had again
 */
#include "sched_place.h"

enum { JOBS = 64, STEPS = 4000, WIDTH = 128 };

static struct {
    const char *synthetic;
    bool nested; /* L3 inside NUMA node inside package: P3 and P4 can be told in three lines */
} const machines[] = {
    { "pack:2 numa:2 l3:2 core:4 pu:2", true },
    { "pack:3 numa:1 l3:4 core:3 pu:1", true },
    { "pack:2 [numa] l3:1 core:6 pu:2", true },
    { "pack:1 l3:1 core:5 pu:4", true },
    { "pack:1 l3:2 numa:2 core:3 pu:2", false },
    { "pu:7", false },
    { "numa:3 core:5 pu:1", false },
    { "pack:2 [numa] l3:2 l2:2 core:2 pu:2", true },
};
enum { MACHINES = sizeof machines / sizeof machines[0] };

static byre__placer_t *placer;
static bool smt;
static byre__cpuset_t allowed, taken;
static struct {
    byre__cpuset_t cpus;
    uint32_t n;
    bool there;
} job[JOBS + 1];
static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

/* ---- the oracle --------------------------------------------------------------------------------- */

/* Processors, or cores of which at least one is allowed, inside a set; only what nobody has. */
static uint32_t room_in(hwloc_const_bitmap_t set)
{
    hwloc_obj_t unit = NULL;
    hwloc_obj_type_t type = smt || hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) == 0
                                ? HWLOC_OBJ_PU
                                : HWLOC_OBJ_CORE;
    uint32_t room = 0;

    while ((unit = hwloc_get_next_obj_inside_cpuset_by_type(topology, set, type, unit)) != NULL) {
        bool some = false, busy = false;

        for (int cpu = hwloc_bitmap_first(unit->cpuset); cpu >= 0;
             cpu = hwloc_bitmap_next(unit->cpuset, cpu)) {
            some = some || byre__cpuset_has(&allowed, cpu);
            busy = busy || (byre__cpuset_has(&allowed, cpu) && byre__cpuset_has(&taken, cpu));
        }
        room += some && !busy;
    }
    return room;
}

static bool inside(const byre__cpuset_t *cpus, hwloc_const_bitmap_t set)
{
    for (int cpu = 0; cpu < WIDTH; cpu++) {
        if (byre__cpuset_has(cpus, cpu) && !hwloc_bitmap_isset(set, (unsigned)cpu)) return false;
    }
    return true;
}

static uint32_t units_of(const byre__cpuset_t *cpus)
{
    byre__cpuset_t before = taken;
    uint32_t units;

    for (size_t i = 0; i < sizeof taken.word / sizeof taken.word[0]; i++) {
        taken.word[i] = ~cpus->word[i];
    }
    units = room_in(hwloc_get_root_obj(topology)->cpuset);
    taken = before;
    return units;
}

static hwloc_obj_t object_with(const byre__cpuset_t *cpus, hwloc_obj_type_t type)
{
    hwloc_obj_t obj = NULL;

    while ((obj = hwloc_get_next_obj_by_type(topology, type, obj)) != NULL) {
        if (inside(cpus, obj->cpuset)) return obj;
    }
    return NULL;
}

/* The least room that is enough, among objects of a type; 0: none has enough. */
static uint32_t tightest(hwloc_obj_type_t type, uint32_t n)
{
    hwloc_obj_t obj = NULL;
    uint32_t least = 0;

    while ((obj = hwloc_get_next_obj_by_type(topology, type, obj)) != NULL) {
        uint32_t room = room_in(obj->cpuset);

        if (room >= n && (least == 0 || room < least)) least = room;
    }
    return least;
}

/* How many L3s did it get parts of, and with how few could it be done inside `set'? */
static void check_parts(const byre__cpuset_t *cpus, hwloc_const_bitmap_t set, uint32_t n)
{
    uint32_t room[64] = { 0 }, got = 0, need = 0, count = 0;
    hwloc_obj_t l3 = NULL;

    while ((l3 = hwloc_get_next_obj_inside_cpuset_by_type(topology, set, HWLOC_OBJ_L3CACHE, l3)) !=
           NULL) {
        uint32_t at = count++;
        bool some = false;

        for (int cpu = 0; cpu < WIDTH; cpu++) {
            some = some || (byre__cpuset_has(cpus, cpu) && hwloc_bitmap_isset(l3->cpuset, cpu));
        }
        got += some;
        for (room[at] = room_in(l3->cpuset); at > 0 && room[at] > room[at - 1]; at--) {
            uint32_t less = room[at - 1];

            room[at - 1] = room[at];
            room[at] = less;
        }
    }
    for (uint32_t sum = 0; sum < n; sum += room[need++]) ck_assert_uint_lt(need, count);
    ck_assert_msg(got == need, "%u of %u parts would do", need, got);
}

static void check_several(const byre__cpuset_t *cpus, uint32_t n)
{
    static const hwloc_obj_type_t types[] = { HWLOC_OBJ_CORE, HWLOC_OBJ_L3CACHE, HWLOC_OBJ_NUMANODE,
                                              HWLOC_OBJ_PACKAGE };

    for (int i = smt ? 0 : 1; i < 4; i++) {
        uint32_t least = tightest(types[i], n);
        hwloc_obj_t obj;

        if (least == 0) continue;
        obj = object_with(cpus, types[i]);
        ck_assert_msg(obj != NULL, "passed by a %s", hwloc_obj_type_string(types[i]));
        ck_assert_uint_eq(room_in(obj->cpuset), least);
        /* Of a package first NUMA nodes are filled, then L3s: not the fewest L3s. */
        if (types[i] == HWLOC_OBJ_NUMANODE) check_parts(cpus, obj->cpuset, n);
        return;
    }
}

static uint32_t most_room(hwloc_obj_type_t type)
{
    hwloc_obj_t obj = NULL;
    uint32_t most = 0;

    while ((obj = hwloc_get_next_obj_by_type(topology, type, obj)) != NULL) {
        uint32_t room = room_in(obj->cpuset);

        if (room > most) most = room;
    }
    return most;
}

static void check_one(const byre__cpuset_t *cpus)
{
    hwloc_obj_type_t type = smt ? HWLOC_OBJ_CORE : HWLOC_OBJ_L3CACHE;

    ck_assert_uint_eq(room_in(object_with(cpus, type)->cpuset), most_room(type));
}

static int number_of(const byre__cpuset_t *cpus, hwloc_obj_type_t type)
{
    hwloc_obj_t obj = object_with(cpus, type);

    return obj ? (int)obj->logical_index : -1;
}

/* ---- one step ----------------------------------------------------------------------------------- */

static void check_given(const byre__placement_t *placement, uint32_t n, byre__cpuset_t *cpus)
{
    byre__cpuset_t nodes = { { 0 } };
    hwloc_obj_t node = NULL;
    char text[BYRE__CPU_LIST];
    uint64_t wrong = 0;

    ck_assert_int_eq(byre__cpuset_parse(placement->cpus, cpus), 0);
    for (size_t i = 0; i < sizeof taken.word / sizeof taken.word[0]; i++) {
        wrong |= (cpus->word[i] & ~allowed.word[i]) | (cpus->word[i] & taken.word[i]);
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(units_of(cpus), n);
    while ((node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != NULL) {
        for (int cpu = 0; cpu < WIDTH; cpu++) {
            if (byre__cpuset_has(cpus, cpu) && hwloc_bitmap_isset(node->cpuset, cpu)) {
                byre__cpuset_add(&nodes, (int)node->os_index);
            }
        }
    }
    ck_assert_str_eq(placement->nodes, byre__cpuset_format(&nodes, text, sizeof text));
    ck_assert_int_eq(placement->l3, number_of(cpus, HWLOC_OBJ_L3CACHE));
    ck_assert_int_eq(placement->numa, number_of(cpus, HWLOC_OBJ_NUMANODE));
    ck_assert_int_eq(placement->package, number_of(cpus, HWLOC_OBJ_PACKAGE));
}

static void set_taken(const byre__cpuset_t *cpus, bool by_somebody)
{
    for (size_t i = 0; i < sizeof taken.word / sizeof taken.word[0]; i++) {
        taken.word[i] =
            by_somebody ? taken.word[i] | cpus->word[i] : taken.word[i] & ~cpus->word[i];
    }
}

static void check_refused(const char *wait, uint32_t n, bool may_wait)
{
    byre__cpuset_t cpus;
    bool busy = false;

    if (wait[0] == '\0') {
        ck_assert_uint_lt(room_in(hwloc_get_root_obj(topology)->cpuset), n);
        return;
    }
    ck_assert(may_wait);
    ck_assert_int_eq(byre__cpuset_parse(wait, &cpus), 0);
    for (int cpu = 0; cpu < WIDTH; cpu++) {
        busy = busy || (byre__cpuset_has(&cpus, cpu) && byre__cpuset_has(&taken, cpu));
    }
    ck_assert(busy);
}

static void take(uint64_t number, const char *policy, bool nested)
{
    static const char *const keys[] = { "", "", "a", "b", "c", "d", "e" };
    uint32_t slots = byre__placer_slots(placer);
    byre__place_request_t request = { .job = number,
                                      .cpus = 1 + random_below(random_below(3) ? 4 : slots),
                                      .affinity = keys[random_below(7)] };
    byre__placement_t placement;
    char wait[BYRE__CPU_LIST];
    int status = byre__placer_take(placer, &request, &placement, wait);

    if (request.cpus > slots) {
        ck_assert_int_eq(status, BYRE_ERANGE);
        return;
    }
    if (status != BYRE_OK) {
        ck_assert_int_eq(status, BYRE_EAGAIN);
        check_refused(wait, request.cpus,
                      strcmp(policy, "fixed") == 0 || strcmp(policy, "mi-queue") == 0);
        byre__placer_expect(placer, &request);
        return;
    }
    check_given(&placement, request.cpus, &job[number].cpus);
    if (nested && strcmp(policy, "fcfs") == 0) {
        if (request.cpus == 1) {
            check_one(&job[number].cpus);
        } else {
            check_several(&job[number].cpus, request.cpus);
        }
    }
    set_taken(&job[number].cpus, true);
    job[number].there = true;
    job[number].n = request.cpus;
}

static void give(uint64_t number)
{
    byre__placer_give(placer, number);
    byre__placer_unexpect(placer, number);
    set_taken(&job[number].cpus, false);
    job[number].there = false;
    memset(&job[number].cpus, 0, sizeof job[number].cpus);
}

static void check_used(void)
{
    uint32_t used = 0;

    for (int i = 1; i <= JOBS; i++) used += job[i].there ? job[i].n : 0;
    ck_assert_uint_eq(byre__placer_used(placer), used);
}

/* ---- a run -------------------------------------------------------------------------------------- */

/* All, or about two thirds of them. */
static void allow(void)
{
    bool some = random_below(2);

    byre__machine_allowed_in(topology, &allowed);
    for (int cpu = 1; some && cpu < WIDTH; cpu++) {
        if (random_below(3) == 0) allowed.word[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
    }
}

static void run(int machine, const char *policy)
{
    byre__place_config_t config = { .policy = policy, .bind = true, .smt = smt };
    byre__place_request_t all = { .job = 1, .affinity = "" };
    byre__placement_t placement;

    build(machines[machine].synthetic);
    allow();
    memset(&taken, 0, sizeof taken);
    ck_assert_int_eq(byre__placer_create(topology, &allowed, &config, &placer), BYRE_OK);
    for (int i = 0; i < STEPS; i++) {
        uint64_t number = 1 + random_below(JOBS);

        if (job[number].there || random_below(8) == 0) {
            give(number);
        } else {
            take(number, policy, machines[machine].nested);
        }
        check_used();
    }
    for (uint64_t number = 1; number <= JOBS; number++) give(number);
    all.cpus = byre__placer_slots(placer);
    ck_assert_int_eq(byre__placer_take(placer, &all, &placement, NULL), BYRE_OK);
    ck_assert_uint_eq(byre__placer_used(placer), all.cpus);
    byre__placer_destroy(placer);
    hwloc_topology_destroy(topology);
}

/* Half of the runs count hyperthreads. */
START_TEST(at_random)
{
    const char *policy = byre__place_policies()[_i];

    for (int machine = 0; machine < 2 * MACHINES; machine++) {
        seed = (uint64_t)_i * 1000 + (uint64_t)machine;
        smt = machine >= MACHINES;
        run(machine % MACHINES, policy);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_place_property");
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, at_random, 0, 5);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
