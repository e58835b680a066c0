/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What keeps a unit and what fetches it ahead: hold times, pins, freezing; streams and prefetches. Rank 0 and
 * rank 1 play, and compare times of a clock that both read.
 *
 * ranks: 2 3
 */
#include "testing.h"

enum { PORT = 3, PAGES = 256, SOME = 64, TURNS = 12 };

#define HOLD_US 200000
#define SLACK 1e-3 /* of the clocks that are compared */

static size_t page;

static volatile uint64_t *word(char *base, size_t number)
{
    return (volatile uint64_t *)(base + number * page);
}

static char *make(size_t pages, const byre_dsm_attr_t *attr)
{
    void *base;
    EXPECT(BYRE_OK, byre_dsm_alloc(pages * page, attr, &base));
    return base;
}

static byre_dsm_stats_t stats(const void *base)
{
    byre_dsm_stats_t now;
    EXPECT(BYRE_OK, byre_dsm_stats(base, &now));
    return now;
}

static void tell(int rank, double seconds)
{
    EXPECT(BYRE_OK, byre_send(at(rank, PORT), &seconds, sizeof seconds));
}

static double hear(int rank)
{
    double seconds;
    EXPECT(BYRE_OK, byre_recv(PORT, rank, &seconds, sizeof seconds, NULL));
    return seconds;
}

/* It came to rank 0 after `before`, so nobody else has it until HOLD_US later. */
static void hold(void)
{
    byre_dsm_attr_t attr = { .hold_us = HOLD_US };
    char *base = make(1, &attr);
    if (me == 0) {
        double before = now_s();
        *word(base, 0) = 1;
        tell(1, before);
    } else if (me == 1) {
        double before = hear(0);
        EQUAL(1, *word(base, 0));
        CHECK(now_s() >= before + HOLD_US * 1e-6 - SLACK);
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

/* What is pinned to write leaves when it is unpinned, and not before; what is pinned to read may be read. */
static void pin(void)
{
    char *base = make(2, NULL);
    if (me == 1) {
        EXPECT(BYRE_OK, byre_dsm_pin(base, page, 1));
        EXPECT(BYRE_OK, byre_dsm_pin(base + page, page, 0));
        *word(base, 0) = 5;
        tell(0, 0);
        (void)hear(0); /* it has read the other one */
        usleep(50000);
        double before = now_s();
        EXPECT(BYRE_OK, byre_dsm_unpin(base, 2 * page));
        tell(0, before);
    } else if (me == 0) {
        (void)hear(1);
        EQUAL(0, *word(base, 1));
        tell(1, 0);
        EQUAL(5, *word(base, 0));
        double after = now_s();
        CHECK(after >= hear(1));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

/* A unit that is taken away again and again is frozen. */
static void freeze(void)
{
    byre_dsm_attr_t attr = { .freeze_after = 2, .defrost_us = HOLD_US };
    char *base = make(1, &attr);
    for (uint64_t turn = 0; me < 2 && turn < TURNS; turn++) {
        if (turn % 2 == (uint64_t)me) {
            EQUAL(turn, *word(base, 0));
            *word(base, 0) = turn + 1;
            tell(1 - me, 0);
        } else {
            (void)hear(1 - me);
        }
    }
    if (me < 2) CHECK(stats(base).frozen > 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

/* Rank 0 has it all. Rank 1 reads some pages that it has asked for, then all from front to back. */
static void ahead(void)
{
    byre_dsm_attr_t attr = { .manager = BYRE_DSM_MANAGER_CENTRAL };
    char *base = make(PAGES + SOME, &attr);
    for (size_t i = 0; me == 0 && i < PAGES + SOME; i++) *word(base, i) = mix(i);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 1) {
        EXPECT(BYRE_OK, byre_dsm_prefetch(base + PAGES * page, SOME * page, 0));
        for (size_t i = 0; i < SOME; i++)
            CHECK(*word(base, PAGES + i * 7 % SOME) == mix(PAGES + i * 7 % SOME));
        EQUAL(0, stats(base).read_faults); /* what was asked for is not missed */
        for (size_t i = 0; i < PAGES; i++) CHECK(*word(base, i) == mix(i));
        CHECK(stats(base).read_faults < PAGES / 4);
        CHECK(stats(base).bytes_in == (PAGES + SOME) * page);
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    hold();
    pin();
    freeze();
    ahead();
    return finish();
}
