/* SPDX-License-Identifier: BSD-3-Clause */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

uint32_t tree_key(size_t i)
{
    return (uint32_t)(noise(i) >> (64 - TREE_KEY_BITS));
}

unsigned tree_range(uint32_t key)
{
    return (unsigned)((uint64_t)key * TREE_RANGES >> TREE_KEY_BITS);
}

void tree_group(const uint32_t *keys, size_t n, uint32_t *grouped_out,
                size_t starts_out[TREE_RANGES + 1])
{
    size_t next[TREE_RANGES];

    memset(starts_out, 0, (TREE_RANGES + 1) * sizeof *starts_out);
    for (size_t i = 0; i < n; i++) starts_out[tree_range(keys[i]) + 1]++;
    for (unsigned range = 0; range < TREE_RANGES; range++) {
        starts_out[range + 1] += starts_out[range];
        next[range] = starts_out[range];
    }
    for (size_t i = 0; i < n; i++) grouped_out[next[tree_range(keys[i])]++] = keys[i];
}

void tree_insert(struct node **root, uint32_t key, struct node **spare)
{
    struct node **link = root;
    while (*link && (*link)->key != key)
        link = key < (*link)->key ? &(*link)->left : &(*link)->right;
    if (!*link) {
        struct node *node = (*spare)++;
        *node = (struct node){ .key = key };
        *link = node;
    }
    (*link)->count++;
}

struct tree_entry *tree_walk(const struct node *node, struct tree_entry *out)
{
    if (!node) return out;
    out = tree_walk(node->left, out);
    *out++ = (struct tree_entry){ node->key, node->count };
    return tree_walk(node->right, out);
}

size_t tree_size(const struct node *node)
{
    return node ? 1 + tree_size(node->left) + tree_size(node->right) : 0;
}

static size_t answer_bytes(const struct job *job)
{
    return job->n * sizeof(struct tree_entry);
}

static double sequential(const struct job *job, void *answer_out)
{
    struct node *roots[TREE_RANGES] = { NULL };
    struct node *nodes = app_memory(job->n * sizeof *nodes), *spare = nodes;
    uint32_t *keys = app_memory(job->n * sizeof *keys);
    uint32_t *grouped = app_memory(job->n * sizeof *grouped);
    struct tree_entry *out = answer_out;
    size_t starts[TREE_RANGES + 1], entries = 0;

    for (size_t i = 0; i < job->n; i++) keys[i] = tree_key(i);
    double start = now();
    tree_group(keys, job->n, grouped, starts);
    for (size_t i = 0; i < job->n; i++)
        tree_insert(&roots[tree_range(grouped[i])], grouped[i], &spare);
    for (unsigned range = 0; range < TREE_RANGES; range++) entries += tree_size(roots[range]);
    double seconds = now() - start;
    for (unsigned range = 0; range < TREE_RANGES; range++) out = tree_walk(roots[range], out);
    if (out != (struct tree_entry *)answer_out + entries) bench_die("tree", "its size is wrong");
    free(nodes);
    free(keys);
    free(grouped);
    return seconds;
}

extern const struct version tree_dsm, tree_mpi;

const struct app app_tree = {
    .name = "tree",
    .what = "search trees built by insertion, then walked",
    .n_is = "keys",
    .n = 1 << 20,
    .quick_n = 5000,
    .least = 1,
    .most = 1 << 26,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &tree_dsm,
    .mpi = &tree_mpi,
};
