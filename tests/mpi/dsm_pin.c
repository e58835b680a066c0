/* SPDX-License-Identifier: BSD-3-Clause */
/* Pins: system calls work on pinned memory and fail on memory that is elsewhere; a writer elsewhere waits for
 * the last unpin; misuse is an error. */
#include "testing.h"

#include <errno.h>

enum { PAGES = 8, DONE = 3, PINS_MOST = 65535 };

static char *base;
static size_t page;
static int ends[2]; /* a pipe */

static volatile uint64_t *word(size_t in_page)
{
    return (volatile uint64_t *)(base + in_page * page);
}

/* All pages go to rank `to`, in an order that is no stream. */
static void gather_at(int to, uint64_t value)
{
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; me == to && i < PAGES; i++) {
        size_t at = i % 2 ? PAGES - 1 - i / 2 : i / 2;
        *word(at) = value + at;
    }
    EXPECT(BYRE_OK, byre_barrier());
}

/* Rank 0 gives the pages of the last rank to system calls. */
static void system_calls(void)
{
    uint64_t got[2] = { 0, 0 }, sent[2] = { 71, 72 };
    char *across = base + page - 8; /* two pages */
    gather_at(ranks - 1, 100);
    if (me == 0) {
        if (ranks > 1) {
            EQUAL(-1, write(ends[1], base, 8));
            EQUAL(EFAULT, errno);
        }
        EXPECT(BYRE_OK, byre_dsm_pin(across, 16, 0));
        EQUAL(16, write(ends[1], across, 16));
        EXPECT(BYRE_OK, byre_dsm_unpin(across, 16));
        EQUAL(16, read(ends[0], got, 16));
        EQUAL(0, got[0]);
        EQUAL(101, got[1]);
        EQUAL(16, write(ends[1], sent, 16));
        if (ranks > 1) {
            EQUAL(-1, read(ends[0], base + 3 * page, 16));
            EQUAL(EFAULT, errno);
        }
        EXPECT(BYRE_OK, byre_dsm_pin(across, 16, 1));
        EQUAL(16, read(ends[0], across, 16));
        EXPECT(BYRE_OK, byre_dsm_unpin(across, 16));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(71, *(volatile uint64_t *)across);
    EQUAL(72, *word(1));
    EQUAL(103, *word(3));
}

/* Rank 1 touches what rank 0 has pinned, tells, and the message must come before or after the unpin. */
static void touch_and_tell(bool write)
{
    uint64_t value = 7;
    if (write)
        *word(2) = 7;
    else
        value = *word(2);
    EXPECT(BYRE_OK, byre_isend_copy(at(0, DONE), &value, sizeof value));
}

static void told(void)
{
    uint64_t value;
    EXPECT(BYRE_OK, byre_recv(DONE, 1, &value, sizeof value, NULL));
}

static void waits_for_unpin(int pin_write, bool write)
{
    enum { PINS = 3 };
    gather_at(1, 200);
    for (int i = 0; me == 0 && i < PINS; i++)
        EXPECT(BYRE_OK, byre_dsm_pin((void *)word(2), 8, pin_write));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 1) touch_and_tell(write);
    if (me == 0 && !write && !pin_write) told(); /* both read: at once */
    for (int i = 0; me == 0 && i < PINS; i++) {
        usleep(5000);
        if (write || pin_write) EXPECT(BYRE_EAGAIN, byre_poll(DONE, 1, NULL));
        EQUAL(202, *word(2));
        EXPECT(BYRE_OK, byre_dsm_unpin((void *)word(2), 8));
    }
    if (me == 0 && (write || pin_write)) told();
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(write ? 7 : 202, *word(2));
}

/* What others ask for together with a pinned page does not wait for the pin: rank 0 needs it meanwhile. */
static void neighbours_are_free(void)
{
    gather_at(0, 300);
    if (me == 1) EQUAL(301, *word(1));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) EXPECT(BYRE_OK, byre_dsm_pin(base, 8, 1));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 2) EXPECT(BYRE_OK, byre_dsm_prefetch(base, 2 * page, 0));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) {
        usleep(5000);
        *word(1) = 5;
        EXPECT(BYRE_OK, byre_dsm_unpin(base, 8));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(300, *word(0));
    EQUAL(5, *word(1));
}

/* Ranks pin overlapping memory, all at once and again and again: no deadlock, and each has it for itself. */
static void taking_turns(void)
{
    gather_at(0, 0);
    for (int i = 0; i < 20; i++) {
        EXPECT(BYRE_OK, byre_dsm_pin(base, PAGES * page, 1));
        uint64_t first = *word(0) + 1;
        for (size_t p = 0; p < PAGES; p++) *word(p) = first + p;
        for (size_t p = 0; p < PAGES; p++) CHECK(*word(p) == first + p);
        EXPECT(BYRE_OK, byre_dsm_unpin(base, PAGES * page));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(20 * ranks, *word(0));
}

static void misuse(void)
{
    int own;
    EXPECT(BYRE_EINVAL, byre_dsm_pin(&own, sizeof own, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(&own, sizeof own));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(base + page, PAGES * page, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_pin(base - 1, 2, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base, 1));
    EXPECT(BYRE_OK, byre_dsm_pin(base + page, 1, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base, 2 * page)); /* one of them is not */
    EXPECT(BYRE_EBUSY, byre_dsm_free(base));
    EXPECT(BYRE_OK, byre_dsm_unpin(base + page, 1));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base + page, 1));
    EXPECT(BYRE_OK, byre_barrier());
    if (me != 0) return;
    for (int i = 0; i < PINS_MOST; i++) EXPECT(BYRE_OK, byre_dsm_pin(base + page, 8, 1));
    EXPECT(BYRE_EBUSY, byre_dsm_pin(base, 2 * page, 0));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base, 1)); /* nothing of it was pinned */
    for (int i = 0; i < PINS_MOST; i++) EXPECT(BYRE_OK, byre_dsm_unpin(base + page, 8));
    EXPECT(BYRE_EINVAL, byre_dsm_unpin(base + page, 8));
}

int main(void)
{
    static const byre_dsm_attr_t attrs[] = {
        { .home = BYRE_DSM_HOME_CYCLIC },
        { .home = BYRE_DSM_HOME_RANK },
        { .manager = BYRE_DSM_MANAGER_DYNAMIC },
        { .protocol = BYRE_DSM_MIGRATE },
    };
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK(pipe(ends) == 0);
    for (size_t i = 0; i < LENGTH(attrs); i++) {
        EXPECT(BYRE_OK, byre_dsm_alloc(PAGES * page, &attrs[i], (void **)&base));
        system_calls();
        if (ranks > 1) {
            waits_for_unpin(0, true);
            waits_for_unpin(1, true);
            waits_for_unpin(1, false);
            if (attrs[i].protocol != BYRE_DSM_MIGRATE) waits_for_unpin(0, false);
        }
        if (ranks > 2) neighbours_are_free();
        taking_turns();
        misuse();
        EXPECT(BYRE_OK, byre_dsm_free(base));
    }
    return finish();
}
