/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared heap without shared memory: slices, blocks that other ranks free, what is no block. Nothing
 * is mapped where the heap is, so that a touch by the allocator is a crash. */
#include "testing.h"

#include "dsm/heap.h"
#include <byre_dsm.h>
#include <pthread.h>

enum { PORT = 3, THREADS = 3, ROUNDS = 3000, TAKE = 5 };
#define BASE ((char *)0x200000000000)
#define SLICE (64 * MIB)

static char *slice_of(int rank)
{
    return BASE + (size_t)rank * SLICE;
}

static byre__slice_stats_t stats(void)
{
    byre__slice_stats_t now;
    byre__dsm_heap_stats(&now);
    return now;
}

static void *take(size_t bytes)
{
    char *block = byre_dsm_malloc(bytes);
    CHECK(block >= slice_of(me) && block + bytes <= slice_of(me + 1));
    CHECK((uintptr_t)block % 16 == 0);
    return block;
}

/* ---- what is no block --------------------------------------------------------------------- */

static void refused_here(void)
{
    char *own = take(100), *other = slice_of(right());
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(NULL));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(&own));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(BASE - 16));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(slice_of(ranks)));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(own + 16));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(other + 8));
    CHECK(byre__dsm_heap_owns(BASE) && byre__dsm_heap_owns(slice_of(ranks) - 1));
    CHECK(!byre__dsm_heap_owns(BASE - 1) && !byre__dsm_heap_owns(slice_of(ranks)));
    EXPECT(BYRE_OK, byre__dsm_heap_free(own));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_free(own));
    CHECK(byre_dsm_malloc(SLICE + 1) == NULL);
    EXPECT(BYRE_OK, byre__dsm_heap_free(take(SLICE)));
}

/* What is in the log of this rank, from now on. */
static bool log_has(FILE *log, const char *text)
{
    char line[512];
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL)
        if (strstr(line, text) != NULL) return true;
    return false;
}

static void refused_there(void)
{
    char text[64];
    FILE *log = tmpfile();
    CHECK(log != NULL);
    int before = dup(STDERR_FILENO);
    CHECK(before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre__dsm_heap_free(slice_of(right()) + 32));
    snprintf(text, sizeof text, "begins at %p;", (void *)(slice_of(me) + 32));
    UNTIL(log_has(log, text));
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    fclose(log);
}

/* ---- given away --------------------------------------------------------------------------- */

/* Blocks go to a rank that the sender has drawn; whoever gets one frees it. */
static void *work(void *arg)
{
    uint64_t state = mix3((uint64_t)me, (uintptr_t)arg, 1);
    for (int i = 0; i < ROUNDS; i++) {
        void *block = take(draw(&state, draw(&state, 20) == 0 ? 100000 : 500)), *got;
        EXPECT(BYRE_OK,
               byre_isend_copy(at((int)((me + i) % ranks), PORT), (void *)&block, sizeof block));
        EXPECT(BYRE_OK, byre_recv(PORT, BYRE_ANY, (void *)&got, sizeof got, NULL));
        CHECK(byre__dsm_heap_owns(got));
        EXPECT(BYRE_OK, byre__dsm_heap_free(got));
    }
    return NULL;
}

static void all_is_free(void)
{
    EXPECT(BYRE_OK, byre_barrier());
    UNTIL(stats().blocks == 0); /* what was freed elsewhere may be under way */
    EQUAL(0, stats().pages);
    EQUAL(1, stats().free_runs);
    EXPECT(BYRE_OK, byre_barrier());
}

static void many(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, work, (void *)t) == 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    all_is_free();
}

/* ---- in handlers -------------------------------------------------------------------------- */

static _Atomic int back;

/* Of length 0: a wish for a block; else a block to free. */
static void serve(const byre_am_t *am, void *arg)
{
    (void)arg;
    if (am->bytes == 0) {
        void *block = take(1000);
        EXPECT(BYRE_OK, byre_am_send(am->source, TAKE, (void *)&block, sizeof block, NULL, 0));
    } else {
        void *const *block = am->data;
        EXPECT(BYRE_OK, byre__dsm_heap_free(*block));
        atomic_fetch_add(&back, 1);
    }
}

static void in_handlers(void)
{
    for (int i = 0; i < 100; i++) EXPECT(BYRE_OK, byre_am_send(i % ranks, TAKE, NULL, 0, NULL, 0));
    UNTIL(atomic_load(&back) == 100);
    all_is_free();
}

int main(void)
{
    CHECK(byre_dsm_malloc(1) == NULL);
    CHECK(setenv("BYRE_LOG", "error", 1) == 0);
    start();
    CHECK(byre_dsm_malloc(1) == NULL);
    CHECK(!byre__dsm_heap_owns(BASE));
    EXPECT(BYRE_EINVAL, byre__dsm_heap_start(BASE, (size_t)ranks * 4095));
    EXPECT(BYRE_OK, byre__dsm_heap_start(BASE, (size_t)ranks * SLICE));
    EXPECT(BYRE_OK, byre_am_register(TAKE, serve, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    refused_here();
    if (ranks > 1) refused_there();
    many();
    in_handlers();
    byre__dsm_heap_stop();
    byre__dsm_heap_stop();
    CHECK(byre_dsm_malloc(1) == NULL);
    CHECK(!byre__dsm_heap_owns(BASE));
    return finish();
}
