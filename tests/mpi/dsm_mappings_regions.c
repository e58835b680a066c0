/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory in more pieces than there are mappings: regions are closed and open again, nothing is lost, and
 * an instruction that needs two units gets on even if another region has all the mappings. */
#include "testing.h"

#include "dsm/region.h"

enum { BUDGET = 64, PAGES = 1024, FEW = BUDGET / 2 };

typedef uint64_t unaligned_t __attribute__((aligned(1)));

static size_t page;

static volatile uint64_t *word(char *base, size_t number)
{
    return (volatile uint64_t *)(base + number * page);
}

/* Of every two pages one, of which each rank has its share. */
static bool is_mine(size_t number)
{
    return number % (2 * (size_t)ranks) == 2 * (size_t)me;
}

static uint64_t flushes(const void *base)
{
    byre_dsm_stats_t stats;
    EXPECT(BYRE_OK, byre_dsm_stats(base, &stats));
    return stats.flushes;
}

static void chequered(char *base)
{
    for (size_t i = 0; i < PAGES; i++)
        if (is_mine(i)) *word(base, i) = mix(i);
    CHECK(flushes(base) > 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < PAGES; i++) CHECK(*word(base, i) == (i % 2 == 0 ? mix(i) : 0));
    EXPECT(BYRE_OK, byre_barrier());
}

/* What is pinned stays open: the kernel can read it. */
static void pinned(char *base)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    EXPECT(BYRE_OK, byre_dsm_pin(base, 8, 0));
    uint64_t before = flushes(base);
    for (size_t i = 1; i < PAGES; i++)
        if (is_mine(i)) *word(base, i) = i;
    CHECK(flushes(base) > before);
    CHECK(write(ends[1], base, 8) == 8);
    EXPECT(BYRE_OK, byre_dsm_unpin(base, 8));
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    EXPECT(BYRE_OK, byre_barrier());
}

static void straddling(char *greedy, char *modest)
{
    volatile unaligned_t *both = (volatile unaligned_t *)(modest + (2 * (size_t)me + 1) * page - 4);
    /* It has all mappings then. At growing distances: no stream, which would open more. */
    for (size_t i = 0; i < FEW; i++) (void)*word(greedy, i * (i + 1) + 1);
    EQUAL(0, flushes(greedy));
    *both = mix((uint64_t)me);
    CHECK(*both == mix((uint64_t)me));
}

int main(void)
{
    void *greedy, *modest;
    byre_dsm_attr_t attr = { .manager = BYRE_DSM_MANAGER_CENTRAL };
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    byre__dsm_view_budget = BUDGET;
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, NULL, &greedy));
    chequered(greedy);
    pinned(greedy);
    EXPECT(BYRE_OK, byre_dsm_free(greedy));
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, &attr, &greedy));
    EXPECT(BYRE_OK, byre_dsm_alloc(2 * (size_t)(ranks + 1) * page, &attr, &modest));
    straddling(greedy, modest);
    EXPECT(BYRE_OK, byre_dsm_free(modest));
    EXPECT(BYRE_OK, byre_dsm_free(greedy));
    return finish();
}
