/* SPDX-License-Identifier: BSD-3-Clause */
/* Trees in shared memory: nodes come from the shared heap and point to one another. Every rank inserts the
 * keys that it has into whatever tree they belong to, range by range under the lock of the range; all
 * begin with another range. */
#include "tree.h"

#include <stdlib.h>

enum { FIRST_LOCK = 16 };

struct run {
    const struct job *job;
    struct span part, ranges; /* of the keys at the beginning; of the ranges to walk */
    uint32_t *keys, *grouped; /* own */
    char *roots;              /* shared; each at the beginning of a page of its own */
    size_t entries;           /* in the ranges walked */
};

static struct node **root_of(const struct run *run, size_t range)
{
    return (struct node **)(run->roots + range * page_bytes());
}

static void *create(const struct job *job)
{
    struct run *run = app_memory(sizeof *run);

    run->job = job;
    run->part = span_of(job->n, job->rank, job->ranks);
    run->ranges = span_of(TREE_RANGES, job->rank, job->ranks);
    run->keys = app_memory(span_length(run->part) * sizeof *run->keys);
    run->grouped = app_memory(span_length(run->part) * sizeof *run->grouped);
    run->roots =
        app_region(TREE_RANGES * page_bytes(),
                   &(byre_dsm_attr_t){ .home = BYRE_DSM_HOME_BLOCK, .name = "tree.roots" });
    return run;
}

static void free_node(void *node)
{
    check_byre("byre_dsm_free", byre_dsm_free(node));
}

static void chop(struct run *run)
{
    for (size_t range = run->ranges.first; range < run->ranges.end; range++) {
        tree_release(*root_of(run, range), free_node);
        *root_of(run, range) = NULL;
    }
}

static void load(void *arg)
{
    struct run *run = arg;
    chop(run);
    for (size_t i = run->part.first; i < run->part.end; i++)
        run->keys[i - run->part.first] = tree_key(i);
}

static void insert_range(struct run *run, size_t range, const uint32_t *keys, size_t count)
{
    byre_dsm_lock_t lock = BYRE_DSM_LOCK(FIRST_LOCK + range);

    check_byre("byre_dsm_lock", byre_dsm_lock(&lock));
    for (size_t i = 0; i < count; i++) tree_insert(root_of(run, range), keys[i], byre_dsm_malloc);
    check_byre("byre_dsm_unlock", byre_dsm_unlock(&lock));
}

static void build(void *arg)
{
    struct run *run = arg;
    size_t starts[TREE_RANGES + 1];

    tree_group(run->keys, span_length(run->part), run->grouped, starts);
    for (size_t i = 0; i < TREE_RANGES; i++) {
        size_t range = (run->ranges.first + i) % TREE_RANGES;
        insert_range(run, range, run->grouped + starts[range], starts[range + 1] - starts[range]);
    }
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    run->entries = 0;
    for (size_t range = run->ranges.first; range < run->ranges.end; range++)
        run->entries += tree_size(*root_of(run, range));
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
}

static void collect(void *arg, void *answer_out)
{
    struct run *run = arg;
    struct tree_entry *out = answer_out;
    for (size_t range = 0; out && range < TREE_RANGES; range++)
        out = tree_walk(*root_of(run, range), out);
}

static void destroy(void *arg)
{
    struct run *run = arg;
    chop(run);
    check_byre("byre_dsm_barrier_all", byre_dsm_barrier_all());
    app_region_free(run->roots);
    free(run->keys);
    free(run->grouped);
    free(run);
}

const struct version tree_dsm = { create, load, build, collect, destroy };
