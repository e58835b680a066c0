/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's mappings run out, here because the budget is small: regions are closed and open again, nothing is
 * lost, what is pinned stays open, an instruction that needs two units gets on even if another region has all the
 * mappings, and it is said once. */
#include "testing.h"

#include "dsm/region.h"

enum { BUDGET = 64, PAGES = 1024, FEW = BUDGET / 2 };

typedef uint64_t unaligned_t __attribute__((aligned(1)));

static size_t page;

static volatile uint64_t *word(char *base, size_t number)
{
    return (volatile uint64_t *)(base + number * page);
}

static uint64_t flushes(const void *base)
{
    byre_dsm_stats_t stats;
    EXPECT(BYRE_OK, byre_dsm_stats(base, &stats));
    return stats.flushes;
}

/* Of every two pages one, the first or the second; each rank has its share of these. */
static void write_share(char *base, size_t which)
{
    for (size_t i = 2 * (size_t)me + which; i < PAGES; i += 2 * (size_t)ranks)
        *word(base, i) = mix(i);
}

static void chequered(char *base)
{
    write_share(base, 0);
    CHECK(flushes(base) > 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < PAGES; i++) CHECK(*word(base, i) == (i % 2 == 0 ? mix(i) : 0));
    for (size_t i = 0; i < PAGES; i += 2) CHECK(*word(base, i) == mix(i));
    EXPECT(BYRE_OK, byre_barrier());
}

/* What is pinned stays open: the kernel can read it, and write to it if it is pinned for that. */
static void pinned(char *base)
{
    size_t mine = 2 * (size_t)me + 2 * (size_t)ranks; /* nobody else's, and not the first */
    int ends[2];
    uint64_t got;
    CHECK(pipe(ends) == 0);
    EXPECT(BYRE_OK, byre_dsm_pin(base, 8, 0));
    EXPECT(BYRE_OK, byre_dsm_pin((void *)word(base, mine), 8, 1));
    *word(base, mine) = 3;
    uint64_t before = flushes(base);
    write_share(base, 1);
    CHECK(flushes(base) > before);
    EQUAL(8, write(ends[1], base, 8)); /* EFAULT, were it closed */
    EQUAL(8, read(ends[0], (void *)word(base, mine), 8));
    EQUAL(mix(0), *word(base, mine));
    EQUAL(8, write(ends[1], (void *)word(base, mine), 8));
    EQUAL(8, read(ends[0], &got, 8));
    EQUAL(mix(0), got);
    *word(base, mine) = mix(mine);
    EXPECT(BYRE_OK, byre_dsm_unpin((void *)word(base, mine), 8));
    EXPECT(BYRE_OK, byre_dsm_unpin(base, 8));
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < PAGES; i++) CHECK(*word(base, i) == mix(i));
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

static void one_region(void)
{
    void *base;
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, NULL, &base));
    chequered(base);
    pinned(base);
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

static void two_regions(void)
{
    byre_dsm_attr_t attr = { .manager = BYRE_DSM_MANAGER_CENTRAL };
    void *greedy, *modest;
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, &attr, &greedy));
    EXPECT(BYRE_OK, byre_dsm_alloc(2 * (size_t)(ranks + 1) * page, &attr, &modest));
    straddling(greedy, modest);
    EXPECT(BYRE_OK, byre_dsm_free(modest));
    EXPECT(BYRE_OK, byre_dsm_free(greedy));
}

/* What is written to file descriptor 2 goes to the file from now on; checks that fail still speak to people. */
static FILE *overhear(void)
{
    FILE *file = tmpfile();
    FILE *people = fdopen(dup(STDERR_FILENO), "w");
    CHECK(file != NULL && people != NULL);
    stderr = people;
    CHECK(dup2(fileno(file), STDERR_FILENO) >= 0);
    return file;
}

/* How often a file has the words. */
static int count(FILE *file, const char *words)
{
    char line[1024];
    int found = 0;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) found += strstr(line, words) != NULL;
    return found;
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    byre__dsm_view_budget = BUDGET;
    FILE *said = overhear();
    EXPECT(BYRE_OK, byre_barrier());
    one_region();
    two_regions();
    CHECK(dup2(fileno(stderr), STDERR_FILENO) >= 0);
    EQUAL(1, count(said, "vm.max_map_count"));
    fclose(said);
    return finish();
}
