/* SPDX-License-Identifier: BSD-3-Clause */
/* Large frames: memory in pieces of 2 MiB that is made while it is in use. A thread walks over what another
 * rank has written, up, down and by a pin, and the pieces are made on its way; in them are pages that this rank
 * has written before, and some that another thread of it writes meanwhile. Nothing of all that may be lost.
 * Regions are freed while the next piece is being made. */
#include "testing.h"

#include <pthread.h>
#include <sys/mman.h>

#define PIECE ((size_t)2 << 20)
enum { PIECES = 3, OWN_EVERY = 100, BUSY_EVERY = 128 }; /* pages */

static const struct kind {
    const char *name;
    byre_dsm_attr_t attr;
} kinds[] = {
    { "fixed", { .home = BYRE_DSM_HOME_BLOCK } },
    { "cyclic", { .home = BYRE_DSM_HOME_CYCLIC } },
    { "dynamic", { .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "unit 4", { .unit_pages = 4 } },
};

static const struct kind *kind;
static char *base;
static size_t page, pages; /* of a rank's part, which begins in the middle of a piece */
static _Atomic int over;
static uint64_t large;

static volatile uint64_t *word(int rank, size_t number)
{
    return (volatile uint64_t *)(base + ((size_t)rank * pages + number) * page);
}

/* Pages of the right neighbour's part that this rank writes: once, and all the time. */
static bool is_own(size_t number)
{
    return number % OWN_EVERY == 57;
}

static bool is_busy(size_t number)
{
    return number % BUSY_EVERY == 96;
}

static void write_parts(void)
{
    for (size_t i = 0; i < pages; i++) word(me, i)[i % 512] = mix3((uint64_t)me, i, 1);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < pages; i++)
        if (is_own(i)) word(right(), i)[i % 512] = mix3((uint64_t)me, i, 2);
    EXPECT(BYRE_OK, byre_barrier());
}

static void check(size_t number)
{
    if (is_busy(number)) return;
    uint64_t want =
        is_own(number) ? mix3((uint64_t)me, number, 2) : mix3((uint64_t)right(), number, 1);
    if (word(right(), number)[number % 512] != want)
        failed(__FILE__, __LINE__, "%s: page %zu is wrong", kind->name, number);
    if (word(right(), number)[(number + 1) % 512] != 0)
        failed(__FILE__, __LINE__, "%s: page %zu has what nobody wrote", kind->name, number);
}

/* Counts up a word in each of these pages, and sees that it has stayed as it was. */
static void *keep_busy(void *arg)
{
    uint64_t round = 0;
    (void)arg;
    do {
        for (size_t i = 0; i < pages; i++) {
            if (!is_busy(i)) continue;
            volatile uint64_t *at = word(right(), i) + 3;
            if (round > 0 && *at != round)
                failed(__FILE__, __LINE__, "%s: page %zu lost a write", kind->name, i);
            *at = round + 1;
        }
        round++;
        sched_yield();
    } while (!over);
    return NULL;
}

/* ---- ways ------------------------------------------------------------------------------------ */

static void upwards(void)
{
    for (size_t i = 0; i < pages; i++) check(i);
}

static void downwards(void)
{
    for (size_t i = pages; i-- > 0;) check(i);
}

static void by_pin(void)
{
    EXPECT(BYRE_OK, byre_dsm_pin((void *)word(right(), 0), pages * page, 0));
    EXPECT(BYRE_OK, byre_dsm_unpin((void *)word(right(), 0), pages * page));
    upwards();
}

static void half(void)
{
    for (size_t i = 0; i < pages / 2; i++) check(i);
}

static void walk(void (*fn)(void), bool busy)
{
    pthread_t thread;
    byre_dsm_stats_t stats;
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)ranks * pages * page, &kind->attr, (void **)&base));
    write_parts();
    over = 0;
    if (busy) CHECK(pthread_create(&thread, NULL, keep_busy, NULL) == 0);
    fn();
    over = 1;
    if (busy) CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(BYRE_OK, byre_dsm_stats(base, &stats));
    large += stats.large_frames;
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

/* The kernel's word for it. */
static bool is_possible(void)
{
    bool possible = false;
    int fd = memfd_create("dsm_large", MFD_CLOEXEC);
    char *room = mmap(NULL, 2 * PIECE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)PIECE) == 0 && room != MAP_FAILED);
    char *piece = room + (-(uintptr_t)room & (PIECE - 1));
    void *there = mmap(piece, PIECE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    CHECK(there == piece);
    piece[0] = 1;
    possible = madvise(piece, PIECE, 25 /* MADV_COLLAPSE */) == 0;
    munmap(room, 2 * PIECE);
    close(fd);
    return possible;
}

int main(void)
{
    const char *asked = getenv("BYRE_DSM_LARGE_FRAMES");
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    pages = (PIECES * PIECE + PIECE / 2) / page;
    for (size_t k = 0; k < LENGTH(kinds); k++) {
        kind = &kinds[k];
        walk(upwards, true);
        walk(downwards, true);
        walk(by_pin, true);
        for (int i = 0; i < 3; i++) walk(half, false);
    }
    if (asked != NULL && strcmp(asked, "0") == 0)
        CHECK(large == 0);
    else if (is_possible())
        CHECK(large > 0);
    return finish();
}
