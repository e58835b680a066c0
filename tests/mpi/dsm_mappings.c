/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel's mappings run out, here because the budget is small: views are closed and opened again, the
 * contents are right, what is pinned stays open, and it is said once. */
#include "testing.h"

#include "dsm/region.h"
#include <fcntl.h>

enum { PAGES = 600, BUDGET = 40 };

static char *base;
static size_t page;

static volatile uint64_t *word(int number)
{
    return (volatile uint64_t *)(base + (size_t)number * page);
}

/* Each rank writes every other page of its own, then of all. */
static void alternate(void)
{
    for (int i = 2 * me; i < PAGES; i += 2 * ranks) *word(i) = mix((uint64_t)i);
    EXPECT(BYRE_OK, byre_barrier());
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < PAGES; i += 2) CHECK(*word(i) == mix((uint64_t)i));
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 1 + 2 * me; i < PAGES; i += 2 * ranks) *word(i) = mix((uint64_t)i);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < PAGES; i++) CHECK(*word(i) == mix((uint64_t)i));
    EXPECT(BYRE_OK, byre_barrier());
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

static void pinned_stays_open(void)
{
    int zero = open("/dev/zero", O_RDONLY);
    int pinned = 4 * me + 3;
    EXPECT(BYRE_OK, byre_dsm_pin((void *)word(pinned), 8, 1));
    *word(pinned) = 3;
    for (int i = 4 * me + 40; i < PAGES; i += 4 * ranks) *word(i) = mix((uint64_t)i);
    EQUAL(8, read(zero, (void *)word(pinned), 8)); /* EFAULT, were it closed */
    EQUAL(0, *word(pinned));
    EXPECT(BYRE_OK, byre_dsm_unpin((void *)word(pinned), 8));
    close(zero);
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    FILE *said = tmpfile();
    int before = dup(STDERR_FILENO);
    CHECK(said != NULL && before >= 0);
    EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, NULL, (void **)&base));
    byre__dsm_view_budget = BUDGET;
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(dup2(fileno(said), STDERR_FILENO) >= 0);
    alternate();
    pinned_stays_open();
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    byre_dsm_stats_t stats;
    EXPECT(BYRE_OK, byre_dsm_stats(base, &stats));
    CHECK(stats.flushes > 0);
    EQUAL(1, count(said, "vm.max_map_count"));
    EXPECT(BYRE_OK, byre_dsm_free(base));
    fclose(said);
    return finish();
}
