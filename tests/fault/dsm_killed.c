/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rank is killed that has a part of shared memory. What only it had is lost, and said so to those who
 * touch it; everything else goes on.
 * argv: what happens; who manages (fixed, central, dynamic); the victim, or nothing; a seed.
 *
 * Page owner * ranks + home is written first by its owner; with fixed and dynamic managers its home is what
 * its name says, with a central one all homes are rank 0 (or the victim: "central-dead").
 */
#include "survive.h"
#include <pthread.h>
#include <setjmp.h>

enum { TRAFFIC_PAGES = 12, TRAFFIC_MS = 1500, SLOTS = 8 };

static char *base;
static size_t page;
static bool central, central_dead, dynamic;
static uint64_t seed;

static _Thread_local sigjmp_buf back;
static _Thread_local byre_dsm_lost_t last;

static void on_lost(const byre_dsm_lost_t *lost, void *arg)
{
    CHECK(arg == &seed);
    last = *lost;
    siglongjmp(back, 1);
}

static volatile uint64_t *word(int number, int slot)
{
    return (volatile uint64_t *)(base + (size_t)number * page) + slot;
}

static volatile uint64_t *owned_by(int owner, int home)
{
    return word(owner * ranks + home, 0);
}

/* False: it is lost. */
static bool try_read(volatile uint64_t *from, uint64_t *value_out)
{
    if (sigsetjmp(back, 1) != 0) return false;
    *value_out = *from;
    return true;
}

static bool try_write(volatile uint64_t *to, uint64_t value)
{
    if (sigsetjmp(back, 1) != 0) return false;
    *to = value;
    return true;
}

/* ---- the region --------------------------------------------------------------------------- */

static void make_region(const char *manager, size_t pages)
{
    byre_dsm_attr_t attr = { .home = BYRE_DSM_HOME_CYCLIC, .name = "data" };
    central = strncmp(manager, "central", 7) == 0;
    central_dead = strcmp(manager, "central-dead") == 0;
    dynamic = strcmp(manager, "dynamic") == 0;
    if (central) attr.manager = BYRE_DSM_MANAGER_CENTRAL;
    if (central) attr.home_rank = central_dead || victim != 0 ? 0 : 1;
    if (central_dead) attr.home_rank = victim;
    if (dynamic) attr.manager = BYRE_DSM_MANAGER_DYNAMIC;
    EXPECT(BYRE_OK, byre_dsm_alloc(pages * page, &attr, (void **)&base));
    EXPECT(BYRE_OK, byre_barrier());
}

static void write_own(void)
{
    for (int i = 0; i < ranks; i++) { /* in no order that makes the next one be fetched ahead */
        int home = i % 2 ? ranks - 1 - i / 2 : i / 2;
        *owned_by(me, home) = mix3((uint64_t)me, (uint64_t)home, 7);
    }
    EXPECT(BYRE_OK, byre_barrier());
}

static bool is_value(int owner, int home, uint64_t value)
{
    return value == mix3((uint64_t)owner, (uint64_t)home, 7);
}

/* Is the rank that knows of this page dead? */
static bool is_unmanaged(int home)
{
    return central ? central_dead : home == victim;
}

/* ---- what is lost, and what is not ----------------------------------------------------------- */

static void expect_lost(volatile uint64_t *at, bool write)
{
    uint64_t value = 0;
    char *start = (char *)at;
    memset(&last, 0, sizeof last);
    CHECK(!(write ? try_write(at, 1) : try_read(at, &value)));
    EQUAL(victim, last.rank);
    EQUAL((start - base) / (ptrdiff_t)page, last.page);
    CHECK(last.addr == start && last.start == base);
    CHECK(last.region != NULL && strcmp(last.region, "data") == 0);
}

/* The victim's pages, which nobody else has: lost, however often they are touched. */
static void lost_is_lost(void)
{
    for (int home = 0; home < ranks; home++) {
        volatile uint64_t *at = owned_by(victim, home);
        expect_lost(at, false);
        expect_lost(at, true);
        expect_lost(at + 1, false);
        EXPECT(BYRE_EPEER, byre_dsm_pin((void *)at, 8, 0));
        EXPECT(BYRE_EPEER, byre_dsm_pin((void *)at, 8, 1));
        EXPECT(BYRE_EINVAL, byre_dsm_unpin((void *)at, 8));
        EXPECT(BYRE_OK, byre_dsm_prefetch((void *)at, 8, 0));
    }
}

/* The survivors' own pages are as before, whoever managed them. */
static void own_is_own(void)
{
    for (int home = 0; home < ranks; home++) {
        CHECK(is_value(me, home, *owned_by(me, home)));
        *(owned_by(me, home) + 1) = 5;
        EXPECT(BYRE_OK, byre_dsm_pin((void *)owned_by(me, home), 8, 1));
        EXPECT(BYRE_OK, byre_dsm_unpin((void *)owned_by(me, home), 8));
    }
}

/* Other survivors' pages can be had if their manager lives. Each writes one word. With the dynamic manager
 * it depends on where the chain of probable owners leads. */
static void others_are_there(void)
{
    uint64_t value = 0;
    for (int owner = 0; owner < ranks; owner++) {
        if (owner == victim || owner == me) continue;
        for (int home = 0; home < ranks; home++) {
            if (is_unmanaged(home) && !dynamic) {
                expect_lost(owned_by(owner, home), false);
                continue;
            }
            bool there = try_read(owned_by(owner, home), &value);
            CHECK(there || is_unmanaged(home));
            if (!there) continue;
            CHECK(is_value(owner, home, value));
            CHECK(try_write(owned_by(owner, home) + 8 + me, (uint64_t)me));
            CHECK(try_read(owned_by(owner, home), &value));
            CHECK(is_value(owner, home, value));
        }
    }
}

/* A rank's goodbye may arrive before what it sent last. */
static int end_of_survivor(void)
{
    go_on(1);
    meet_the_living();
    usleep(200000);
    return leave();
}

static void make_nothing_new(void)
{
    void *other;
    EXPECT(BYRE_EPEER, byre_dsm_free(base));
    EXPECT(BYRE_EPEER, byre_dsm_alloc(page, NULL, &other));
}

static int lost(void)
{
    write_own();
    if (me == victim) die_when_all_wait();
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    lost_is_lost();
    found_dead_in_time();
    own_is_own();
    meet_the_living();
    others_are_there();
    lost_is_lost();
    meet_the_living();
    if (seed % 2 == 0) make_nothing_new();
    return end_of_survivor();
}

/* Somebody waits for a page that the victim is keeping (a pin) when it dies. */
static int waiting(void)
{
    write_own();
    if (me == victim) {
        for (int home = 0; home < ranks; home++)
            EXPECT(BYRE_OK, byre_dsm_pin((void *)owned_by(me, home), 8, 1));
        EXPECT(BYRE_OK, byre_barrier());
        die_when_all_wait();
    }
    EXPECT(BYRE_OK, byre_barrier());
    about_to_wait();
    for (int home = 0; home < ranks; home++) expect_lost(owned_by(victim, home), me % 2);
    found_dead_in_time();
    lost_is_lost();
    return end_of_survivor();
}

/* Copies survive their dead owner. */
static int copies(void)
{
    uint64_t value;
    write_own();
    for (int home = 0; home < ranks; home++) CHECK(is_value(victim, home, *owned_by(victim, home)));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) die_when_all_wait();
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    for (int home = 0; home < ranks; home++) CHECK(is_value(victim, home, *owned_by(victim, home)));
    found_dead_in_time();
    meet_the_living();
    /* Whose manager lives can be written too: a copy takes the owner's place. */
    for (int home = 0; home < ranks && !dynamic; home++) {
        if (is_unmanaged(home)) {
            expect_lost(owned_by(victim, home), true);
            continue;
        }
        CHECK(try_write(owned_by(victim, home) + 8 + me, (uint64_t)me));
        CHECK(try_read(owned_by(victim, home), &value) && is_value(victim, home, value));
    }
    return end_of_survivor();
}

/* ---- by default, the program ends --------------------------------------------------------- */

static int default_ends(void)
{
    write_own();
    EXPECT(BYRE_OK, byre_dsm_on_lost(NULL, NULL));
    if (me == victim) die_when_all_wait();
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    (void)*(owned_by(victim, 0) + 3);
    CHECK(!"reached");
    return 0;
}

/* ---- heavy traffic ------------------------------------------------------------------------ */

static _Atomic bool over;

static void *dies_soon(void *arg)
{
    uint64_t state = mix(seed);
    (void)arg;
    usleep((useconds_t)draw(&state, 60000));
    die();
}

/* Each word has one writer, a thread, who counts it up: nobody ever sees it go back. */
static void *traffic(void *arg)
{
    int slot = me * 2 + *(int *)arg;
    uint64_t state = mix3(seed, 3, (uint64_t)slot), seen[TRAFFIC_PAGES][SLOTS] = { { 0 } };
    while (!atomic_load(&over)) {
        int number = (int)draw(&state, TRAFFIC_PAGES),
            other = (int)draw(&state, (uint64_t)ranks * 2);
        uint64_t value = 0;
        if (draw(&state, 3) == 0) {
            value = seen[number][slot] + 1;
            if (try_write(word(number, slot), value)) seen[number][slot] = value;
        } else if (try_read(word(number, other), &value)) {
            CHECK(value >= seen[number][other]);
            seen[number][other] = value;
        }
    }
    return NULL;
}

static int in_traffic(void)
{
    pthread_t threads[3];
    int numbers[2] = { 0, 1 };
    CHECK(ranks * 2 <= SLOTS);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) CHECK(pthread_create(&threads[2], NULL, dies_soon, NULL) == 0);
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, traffic, &numbers[i]) == 0);
    UNTIL(byre_peer_failed(victim));
    usleep(100000);
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    if (seed % 2 == 0) EXPECT(BYRE_EPEER, byre_dsm_free(base));
    return end_of_survivor();
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "lost", *manager = argc > 2 ? argv[2] : "fixed";
    page = (size_t)sysconf(_SC_PAGESIZE);
    begin(argc > 3 && argv[3][0] != '-' ? 2 : 1, argv + 2);
    if (argc > 4) seed = (uint64_t)atoi(argv[4]);
    make_region(manager, (size_t)(ranks * ranks) + TRAFFIC_PAGES);
    EXPECT(BYRE_OK, byre_dsm_on_lost(on_lost, &seed));
    if (strcmp(how, "lost") == 0) return lost();
    if (strcmp(how, "waiting") == 0) return waiting();
    if (strcmp(how, "copies") == 0) return copies();
    if (strcmp(how, "default") == 0) return default_ends();
    if (strcmp(how, "traffic") == 0) return in_traffic();
    CHECK(!"a known way");
    return 1;
}
