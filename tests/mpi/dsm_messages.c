/* SPDX-License-Identifier: BSD-3-Clause */
/* Invariant 4, counted: how many messages a miss takes, of all ranks together, and which units travel. */
#include "testing.h"

enum { NEXT = 400, PORT = 4 };

static const struct kind {
    const char *name;
    byre_dsm_attr_t attr;
} kinds[] = {
    { "fixed", { .home = BYRE_DSM_HOME_CYCLIC } },
    { "central", { .home = BYRE_DSM_HOME_CYCLIC, .manager = BYRE_DSM_MANAGER_CENTRAL } },
    { "dynamic", { .home = BYRE_DSM_HOME_CYCLIC, .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "migrate", { .home = BYRE_DSM_HOME_CYCLIC, .protocol = BYRE_DSM_MIGRATE } },
};

static char *base;
static size_t page;
static const struct kind *kind;
static int turn; /* pages are used in no order that is a stream, and once */

/* A page that nobody has touched, of that home. */
static volatile uint64_t *fresh(int home)
{
    turn++;
    return (volatile uint64_t *)(base + (size_t)(turn * turn % NEXT * ranks + home) * page);
}

struct sums {
    uint64_t messages, bytes;
};

/* Of all ranks. They do nothing meanwhile. */
static struct sums sums(void)
{
    struct sums sum = { 0, 0 };
    byre_dsm_stats_t stats;
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_stats(base, &stats));
    struct sums own = { stats.messages_out, stats.bytes_out };
    for (int r = 0; r < ranks; r++) EXPECT(BYRE_OK, byre_isend_copy(at(r, PORT), &own, sizeof own));
    for (int r = 0; r < ranks; r++) {
        struct sums theirs;
        EXPECT(BYRE_OK, byre_recv(PORT, r, &theirs, sizeof theirs, NULL));
        sum.messages += theirs.messages;
        sum.bytes += theirs.bytes;
    }
    EXPECT(BYRE_OK, byre_barrier());
    return sum;
}

static void read_at(int rank, volatile uint64_t *at)
{
    if (me == rank) (void)*at;
}

static void write_at(int rank, volatile uint64_t *at)
{
    if (me == rank) *at = (uint64_t)rank + 1;
}

/* The touch takes at most so many messages, and moves so many pages. */
static void expect(const char *what, void (*touch)(int, volatile uint64_t *), int rank,
                   volatile uint64_t *at, uint64_t most, uint64_t pages)
{
    struct sums before = sums();
    touch(rank, at);
    struct sums after = sums();
    uint64_t messages = after.messages - before.messages, bytes = after.bytes - before.bytes;
    if (messages <= most && bytes == pages * page) return;
    failed(__FILE__, __LINE__, "%s, %s: %llu messages, %llu bytes", kind->name, what,
           (unsigned long long)messages, (unsigned long long)bytes);
}

/* ---- what is nobody's or this rank's -------------------------------------------------------- */

static void zeros(bool central)
{
    volatile uint64_t *at = fresh(0);
    expect("first read at home", read_at, 0, at, 0, 0);
    expect("first write at home", write_at, 0, at, 0, 0);
    expect("read again", read_at, 0, at, 0, 0);
    expect("first write at home", write_at, 0, fresh(0), 0, 0);
    if (ranks == 1) return;
    expect("first write elsewhere", write_at, 1, fresh(0), 3, 0);
    expect("first read elsewhere", read_at, 1, fresh(0), 3, 0);
    if (!central) expect("first write at another home", write_at, 1, fresh(1), 0, 0);
}

/* ---- misses: the manager is rank 0 ------------------------------------------------------------ */

static void read_misses(bool dynamic, bool migrate)
{
    volatile uint64_t *at = fresh(0);
    write_at(0, at);
    expect("read, the owner is the manager", read_at, 1, at, 3, 1);
    expect("read of a copy", read_at, 1, at, 0, 0);
    at = fresh(0);
    write_at(1, at);
    expect("read by the manager", read_at, 0, at, dynamic ? 3 : 2, 1);
    if (ranks == 2) return;
    at = fresh(0);
    write_at(1, at);
    expect("read, three ranks", read_at, 2, at, 4, 1);
    if (!migrate) expect("read, the manager has none, or passes on", read_at, 0, at, 3, 1);
}

/* k ranks have copies beside the owner. */
static void write_misses(bool dynamic)
{
    for (int k = 0; k <= ranks - 2; k++) {
        volatile uint64_t *at = fresh(0);
        int writer = ranks - 1;
        write_at(0, at);
        EXPECT(BYRE_OK, byre_barrier());
        for (int r = 1; r <= k; r++) read_at(r, at);
        expect("write, the owner is the manager", write_at, writer, at, 3 + 2 * (uint64_t)k, 1);
    }
    for (int k = 0; ranks > 2 && k <= ranks - 3; k++) {
        volatile uint64_t *at = fresh(0);
        write_at(1, at);
        EXPECT(BYRE_OK, byre_barrier());
        for (int r = 2; r < 2 + k; r++) read_at(r, at);
        expect("write, three ranks", write_at, ranks - 1, at, 4 + 2 * (uint64_t)k, 1);
    }
    /* Who has a copy needs no bytes. The others, the owner among them, are k. */
    volatile uint64_t *at = fresh(0);
    write_at(0, at);
    EXPECT(BYRE_OK, byre_barrier());
    read_at(me, at);
    expect("upgrade", write_at, 1, at, 3 + 2 * (uint64_t)(ranks - 1), 0);
    expect("own", write_at, 1, at, 0, 0);
    if (!dynamic) expect("write by the manager", write_at, 0, at, 3, 1);
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t k = 0; k < LENGTH(kinds); k++) {
        bool migrate, dynamic;
        kind = &kinds[k];
        migrate = kind->attr.protocol == BYRE_DSM_MIGRATE;
        dynamic = kind->attr.manager == BYRE_DSM_MANAGER_DYNAMIC;
        turn = 0;
        EXPECT(BYRE_OK, byre_dsm_alloc((size_t)(NEXT * ranks) * page, &kind->attr, (void **)&base));
        zeros(kind->attr.manager == BYRE_DSM_MANAGER_CENTRAL);
        if (ranks > 1) read_misses(dynamic, migrate);
        if (ranks > 1 && !migrate) write_misses(dynamic);
        EXPECT(BYRE_OK, byre_dsm_free(base));
    }
    /* Homes in blocks: a rank that keeps to its own block sends nothing, however it walks. */
    kind = &(const struct kind){ .name = "blocks" };
    EXPECT(BYRE_OK, byre_dsm_alloc((size_t)(NEXT * ranks) * page, NULL, (void **)&base));
    struct sums before = sums();
    for (int i = 0; i < NEXT; i++) *(volatile char *)(base + (size_t)(me * NEXT + i) * page) = 1;
    struct sums after = sums();
    EQUAL(before.messages, after.messages);
    EXPECT(BYRE_OK, byre_dsm_free(base));
    return finish();
}
