/* SPDX-License-Identifier: BSD-3-Clause */
/* Trees in shared memory: nodes lie in the shared heap and point to one another. Every rank inserts the
 * keys that it has into whatever tree they belong to, range by range under the lock of the range; all
 * begin with another range, and end with those that they will walk. The nodes that a rank adds to a range are one block: who has the lock next
 * fetches the blocks ahead, and does not meet them node by node. */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_LOCK = 16 };

struct block {
    struct node *nodes;
    size_t bytes;
};

struct range {
    struct node *root;
    int count;
    struct block blocks[]; /* [ranks] */
};

struct run {
    const struct job *job;
    struct span part, ranges; /* of the keys at the beginning; of the ranges to walk */
    uint32_t *keys, *grouped; /* own */
    char *ranges_at;          /* shared; each range has pages of its own */
    size_t range_bytes;
    size_t entries; /* in the ranges walked */
};

static struct range *range_of(const struct run *run, size_t number)
{
    return (struct range *)(run->ranges_at + number * run->range_bytes);
}

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);
    byre_dsm_attr_t attr = { .home = BYRE_DSM_HOME_BLOCK, .name = "tree.ranges" };

    run->job = job;
    run->part = span_of(job->n, job->rank, job->ranks);
    run->ranges = span_of(TREE_RANGES, job->rank, job->ranks);
    run->keys = app_memory(span_length(run->part) * sizeof *run->keys);
    run->grouped = app_memory(span_length(run->part) * sizeof *run->grouped);
    run->range_bytes =
        whole_pages(sizeof(struct range) + (size_t)job->ranks * sizeof(struct block));
    run->ranges_at = app_region(TREE_RANGES * run->range_bytes, &attr);
    return run;
}

static void chop(struct run *run)
{
    for (size_t number = run->ranges.first; number < run->ranges.end; number++) {
        struct range *range = range_of(run, number);
        for (int i = 0; i < range->count; i++)
            check_byre("byre_dsm_free", byre_dsm_free(range->blocks[i].nodes));
        range->root = NULL;
        range->count = 0;
    }
}

static void load(void *arg)
{
    struct run *run = arg;
    chop(run);
    for (size_t i = run->part.first; i < run->part.end; i++)
        run->keys[i - run->part.first] = tree_key(i);
}

static struct node *add_block(struct range *range, size_t nodes)
{
    struct block block = { .bytes = nodes * sizeof(struct node) };
    block.nodes = byre_dsm_malloc(block.bytes);
    if (!block.nodes) bench_die("byre_dsm_malloc", "the shared heap is exhausted");
    for (int i = 0; i < range->count; i++)
        byre_dsm_prefetch(range->blocks[i].nodes, range->blocks[i].bytes, 1);
    range->blocks[range->count++] = block;
    return block.nodes;
}

static void insert(struct run *run, size_t number, const uint32_t *keys, size_t count)
{
    struct range *range = range_of(run, number);
    byre_dsm_lock_t lock = BYRE_DSM_LOCK(FIRST_LOCK + number);

    if (count == 0) return;
    check_byre("byre_dsm_lock", byre_dsm_lock(&lock));
    struct node *spare = add_block(range, count);
    for (size_t i = 0; i < count; i++) tree_insert(&range->root, keys[i], &spare);
    check_byre("byre_dsm_unlock", byre_dsm_unlock(&lock));
}

static void build(void *arg)
{
    struct run *run = arg;
    size_t starts[TREE_RANGES + 1];

    tree_group(run->keys, span_length(run->part), run->grouped, starts);
    for (size_t i = 0; i < TREE_RANGES; i++) {
        size_t number = (run->ranges.end + i) % TREE_RANGES;
        insert(run, number, run->grouped + starts[number], starts[number + 1] - starts[number]);
    }
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    run->entries = 0;
    for (size_t number = run->ranges.first; number < run->ranges.end; number++)
        run->entries += tree_size(range_of(run, number)->root);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    struct tree_entry *out = answer_out;
    for (size_t number = 0; out && number < TREE_RANGES; number++)
        out = tree_walk(range_of(run, number)->root, out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    chop(run);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    app_region_free(run->ranges_at);
    free(run->keys);
    free(run->grouped);
    free(run);
}

const struct version tree_dsm = { create, load, build, collect, destroy };
