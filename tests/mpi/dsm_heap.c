/* SPDX-License-Identifier: BSD-3-Clause */
/* The shared heap: blocks that one rank takes, another one reads and a third one frees; lists whose
 * pointers go from rank to rank; handlers; what is no block. */
#include "testing.h"

#include "dsm/heap.h"
#include "dsm/region.h"
#include <pthread.h>

enum { PORT = 3, LIST_PORT = 4, THREADS = 3, ROUNDS = 400, TAKE = 5, NODES = 300 };

static char *heap_base;
static size_t slice_bytes;

/* Where this rank's blocks are, as the core has it. */
static void find_heap(void)
{
    char *block = byre_dsm_malloc(1);
    const dsm_region_t *region = byre__dsm_region_at(block, 1);
    CHECK(region != NULL);
    heap_base = region->app;
    slice_bytes = region->bytes / (size_t)ranks;
    CHECK(slice_bytes >= 64 * MIB && slice_bytes % (2 * MIB) == 0);
    EQUAL(slice_bytes, region->block_units * region->unit_bytes); /* a slice's home is its rank */
    EXPECT(BYRE_OK, byre_dsm_free(block));
}

static char *slice_of(int rank)
{
    return heap_base + (size_t)rank * slice_bytes;
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

static void all_is_free(void)
{
    EXPECT(BYRE_OK, byre_barrier());
    UNTIL(stats().blocks == 0); /* what was freed elsewhere may be under way */
    EQUAL(0, stats().pages);
    EQUAL(1, stats().free_runs);
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- what is no block --------------------------------------------------------------------- */

static void refused_here(void)
{
    char *own = take(100);
    EXPECT(BYRE_OK, byre_dsm_free(NULL));
    EXPECT(BYRE_EINVAL, byre_dsm_free(heap_base + 1));
    EXPECT(BYRE_EINVAL, byre_dsm_free(own + 16));
    EXPECT(BYRE_EINVAL, byre_dsm_free(slice_of(right()) + 8));
    EXPECT(BYRE_EINVAL, byre_dsm_free(slice_of(me) + slice_bytes - 4096));
    CHECK(byre__dsm_heap_owns(heap_base) && byre__dsm_heap_owns(slice_of(ranks) - 1));
    CHECK(!byre__dsm_heap_owns(heap_base - 1) && !byre__dsm_heap_owns(slice_of(ranks)));
    EXPECT(BYRE_OK, byre_dsm_free(own));
    EXPECT(BYRE_EINVAL, byre_dsm_free(own));
    CHECK(byre_dsm_malloc(slice_bytes + 1) == NULL);
    EXPECT(BYRE_OK, byre_dsm_free(take(slice_bytes)));
}

static bool log_has(FILE *log, const char *text)
{
    char line[512];
    rewind(log);
    while (fgets(line, sizeof line, log) != NULL)
        if (strstr(line, text) != NULL) return true;
    return false;
}

/* The rank whose slice it is writes it to its log. */
static void refused_there(void)
{
    char text[64];
    FILE *log = tmpfile();
    CHECK(log != NULL);
    int before = dup(STDERR_FILENO);
    CHECK(before >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_dsm_free(slice_of(right()) + 32));
    snprintf(text, sizeof text, "begins at %p;", (void *)(slice_of(me) + 32));
    UNTIL(log_has(log, text));
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    fclose(log);
}

/* ---- given away --------------------------------------------------------------------------- */

typedef struct gift {
    char *block;
    size_t bytes;
    uint64_t seed;
} gift_t;

/* What one writes another one reads, and frees. */
static void *work(void *arg)
{
    uint64_t state = mix3((uint64_t)me, (uintptr_t)arg, 1);
    for (int i = 0; i < ROUNDS; i++) {
        gift_t out = { .bytes = draw(&state, draw(&state, 20) == 0 ? 30000 : 500), .seed = state },
               in;
        out.block = take(out.bytes);
        for (size_t k = 0; k < out.bytes; k++) out.block[k] = (char)(out.seed + k);
        EXPECT(BYRE_OK, byre_isend_copy(at((me + i) % ranks, PORT), &out, sizeof out));
        EXPECT(BYRE_OK, byre_recv(PORT, BYRE_ANY, &in, sizeof in, NULL));
        for (size_t k = 0; k < in.bytes; k++) CHECK(in.block[k] == (char)(in.seed + k));
        EXPECT(BYRE_OK, byre_dsm_free(in.block));
    }
    return NULL;
}

static void many(void)
{
    pthread_t threads[THREADS];
    for (uintptr_t t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, work, (void *)t) == 0);
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    all_is_free();
}

/* ---- a list ------------------------------------------------------------------------------- */

typedef struct node {
    struct node *next;
    int rank, number;
} node_t;

/* Each rank in turn puts its nodes in front; the last one reads all, and frees all. */
static void list(void)
{
    node_t *head = NULL;
    if (me > 0) EXPECT(BYRE_OK, byre_recv(LIST_PORT, me - 1, (void *)&head, sizeof head, NULL));
    for (int i = 0; i < NODES; i++) {
        node_t *node = take(sizeof *node);
        *node = (node_t){ .next = head, .rank = me, .number = i };
        head = node;
    }
    if (me + 1 < ranks) {
        EXPECT(BYRE_OK, byre_send(at(me + 1, LIST_PORT), (void *)&head, sizeof head));
    } else {
        for (int i = ranks * NODES - 1; i >= 0; i--) {
            node_t *node = head;
            CHECK(node != NULL);
            EQUAL(i / NODES, node->rank);
            EQUAL(i % NODES, node->number);
            head = node->next;
            EXPECT(BYRE_OK, byre_dsm_free(node));
        }
        CHECK(head == NULL);
    }
    all_is_free();
}

/* ---- in handlers -------------------------------------------------------------------------- */

static _Atomic int back;

/* Of length 0: a wish for a block; else a block to free. A handler does not touch it. */
static void serve(const byre_am_t *am, void *arg)
{
    (void)arg;
    if (am->bytes == 0) {
        void *block = take(1000);
        EXPECT(BYRE_OK, byre_am_send(am->source, TAKE, (void *)&block, sizeof block, NULL, 0));
    } else {
        void *const *block = am->data;
        EXPECT(BYRE_OK, byre_dsm_free(*block));
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
    EXPECT(BYRE_OK, byre_am_register(TAKE, serve, NULL, NULL));
    find_heap();
    EXPECT(BYRE_OK, byre_barrier());
    refused_here();
    if (ranks > 1) refused_there();
    many();
    list();
    in_handlers();
    void *left_over = take(5000); /* goes with the heap */
    int status = finish();
    CHECK(byre_dsm_malloc(1) == NULL);
    EXPECT(BYRE_ESTATE, byre_dsm_free(left_over));
    return status;
}
