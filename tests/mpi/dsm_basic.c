/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory, one behaviour after the other, under every manager and protocol: zeros at first, what one
 * rank writes all see, writers take turns, a counter that moves from rank to rank. */
#include "testing.h"

enum { PAGES = 24, ROUNDS = 20 };

static const struct kind {
    const char *name;
    byre_dsm_attr_t attr;
} kinds[] = {
    { "default", { .name = "default" } },
    { "cyclic", { .home = BYRE_DSM_HOME_CYCLIC } },
    { "first touch", { .home = BYRE_DSM_HOME_FIRST_TOUCH } },
    { "rank 0", { .home = BYRE_DSM_HOME_RANK } },
    { "central", { .manager = BYRE_DSM_MANAGER_CENTRAL } },
    { "dynamic", { .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "migrate", { .protocol = BYRE_DSM_MIGRATE } },
    { "migrate dynamic", { .protocol = BYRE_DSM_MIGRATE, .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "unit 4", { .unit_pages = 4 } },
    { "unit 64", { .unit_pages = 64, .home = BYRE_DSM_HOME_CYCLIC } },
    { "hold", { .hold_us = 200 } },
    { "freeze", { .freeze_after = 3, .defrost_us = 300 } },
    { "constant", { .protocol = BYRE_DSM_CONSTANT } },
};

static size_t page;

static volatile uint64_t *word(char *base, size_t number)
{
    return (volatile uint64_t *)(base + number * page);
}

static void zeros(char *base)
{
    for (size_t i = 0; i < PAGES; i++) EQUAL(0, *word(base, i));
}

/* Each rank writes its pages; all read all. */
static void everybody_sees(char *base)
{
    EXPECT(BYRE_OK, byre_barrier());
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (size_t i = 0; i < PAGES; i++)
            if ((int)((i + round) % (size_t)ranks) == me) *word(base, i) = mix(round * PAGES + i);
        EXPECT(BYRE_OK, byre_barrier());
        for (size_t i = 0; i < PAGES; i++) CHECK(*word(base, i) == mix(round * PAGES + i));
        EXPECT(BYRE_OK, byre_barrier());
    }
}

/* Ranks take turns by looking at the counter: it moves without any message of the program. */
static void counter_goes_round(char *base)
{
    volatile uint64_t *counter = word(base, 0);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) *counter = 0;
    EXPECT(BYRE_OK, byre_barrier());
    for (uint64_t turn = 0; turn < ROUNDS; turn++) {
        UNTIL(*counter >= turn * (uint64_t)ranks + (uint64_t)me);
        EQUAL(turn * (uint64_t)ranks + (uint64_t)me, *counter);
        *counter = *counter + 1;
    }
    UNTIL(*counter == ROUNDS * (uint64_t)ranks);
    EXPECT(BYRE_OK, byre_barrier());
}

/* All increment at once: C11 atomics work, because only one rank at a time may write the page. */
static void atomic_counter(char *base)
{
    _Atomic uint64_t *counter = (_Atomic uint64_t *)(base + page + 64);
    uint64_t before = atomic_load(counter);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < 100; i++) atomic_fetch_add(counter, 1);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(before + 100u * (unsigned)ranks, atomic_load(counter));
    EXPECT(BYRE_OK, byre_barrier());
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t k = 0; k < LENGTH(kinds); k++) {
        void *base;
        EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, &kinds[k].attr, &base));
        EXPECT(BYRE_OK, byre_barrier());
        zeros(base);
        everybody_sees(base);
        counter_goes_round(base);
        atomic_counter(base);
        if (me == 0 && getenv("VERBOSE")) fprintf(stderr, "%s\n", kinds[k].name);
        EXPECT(BYRE_OK, byre_dsm_free(base));
    }
    return finish();
}
