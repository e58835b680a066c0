/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams over arrays that others have written: forward, backward, with a stride, two at once, to read and
 * to write; and byre_dsm_prefetch. The contents are right, and most units are fetched ahead. */
#include "testing.h"

enum { PAGES = 384 }; /* of each rank */

static const struct kind {
    const char *name;
    byre_dsm_attr_t attr;
} kinds[] = {
    { "fixed", { .name = "fixed" } },
    { "dynamic", { .manager = BYRE_DSM_MANAGER_DYNAMIC } },
};

static char *base;
static size_t page;
static const struct kind *kind;
static uint64_t version;

static volatile uint64_t *word(int rank, int number)
{
    return (volatile uint64_t *)(base + (size_t)(rank * PAGES + number) * page) + number % 512;
}

/* Everybody writes its own part anew: nobody else has copies then. */
static void write_own(void)
{
    EXPECT(BYRE_OK, byre_barrier());
    version++;
    for (int i = 0; i < PAGES; i++) *word(me, i) = mix3(version, (uint64_t)me, (uint64_t)i);
    EXPECT(BYRE_OK, byre_barrier());
}

static void check(int number)
{
    if (*word(right(), number) != mix3(version, (uint64_t)right(), (uint64_t)number))
        failed(__FILE__, __LINE__, "%s: unit %d is wrong", kind->name, number);
}

/* ---- ways to walk over the right neighbour's part -------------------------------------------- */

static void forward(void)
{
    for (int i = 0; i < PAGES; i++) check(i);
}

static void backward(void)
{
    for (int i = PAGES - 1; i >= 0; i--) check(i);
}

static void strided(void)
{
    for (int start = 0; start < 3; start++)
        for (int i = start; i < PAGES; i += 3) check(i);
}

static void interleaved(void)
{
    for (int i = 0; i < PAGES / 2; i++) {
        check(i);
        check(PAGES / 2 + i);
    }
}

static void writing(void)
{
    for (int i = 0; i < PAGES; i++) *(word(right(), i) + 1) = version;
    for (int i = 0; i < PAGES; i++) check(i);
}

static void prefetched_to_read(void)
{
    EXPECT(BYRE_OK, byre_dsm_prefetch((void *)word(right(), 0), (PAGES - 1) * page, 0));
    forward();
}

static void prefetched_to_write(void)
{
    EXPECT(BYRE_OK, byre_dsm_prefetch((void *)word(right(), 0), (PAGES - 1) * page, 1));
    writing();
}

static byre_dsm_stats_t stats(void)
{
    byre_dsm_stats_t now;
    EXPECT(BYRE_OK, byre_dsm_stats(base, &now));
    return now;
}

static void walk(const char *name, void (*fn)(void), uint64_t most_faults)
{
    write_own();
    byre_dsm_stats_t before = stats();
    fn();
    byre_dsm_stats_t after = stats();
    EXPECT(BYRE_OK, byre_barrier());
    uint64_t faults = after.read_faults + after.write_faults + after.upgrades - before.read_faults -
                      before.write_faults - before.upgrades;
    uint64_t ahead = after.prefetched - before.prefetched;
    if (me == 0 && getenv("VERBOSE"))
        fprintf(stderr, "%s %s: %llu faults, %llu ahead\n", kind->name, name,
                (unsigned long long)faults, (unsigned long long)ahead);
    /* What a thread had to wait for is not counted as fetched ahead: with a stride it may be all. */
    if (ranks == 1 || (faults <= most_faults && (ahead > 0 || fn == strided))) return;
    failed(__FILE__, __LINE__, "%s, %s: %llu faults for %d units, %llu fetched ahead", kind->name,
           name, (unsigned long long)faults, PAGES, (unsigned long long)ahead);
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t k = 0; k < LENGTH(kinds); k++) {
        kind = &kinds[k];
        EXPECT(BYRE_OK,
               byre_dsm_alloc((size_t)(ranks * PAGES) * page, &kind->attr, (void **)&base));
        walk("forward", forward, PAGES / 8);
        walk("backward", backward, PAGES / 8);
        walk("strided", strided, PAGES / 8);
        walk("interleaved", interleaved, PAGES / 8);
        walk("writing", writing, PAGES / 4);
        walk("prefetched to read", prefetched_to_read, PAGES / 8);
        walk("prefetched to write", prefetched_to_write, PAGES / 4);
        EXPECT(BYRE_OK, byre_dsm_free(base));
    }
    return finish();
}
