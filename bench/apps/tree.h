/* SPDX-License-Identifier: BSD-3-Clause */
/* Counting keys in binary search trees that are built by insertion. The keys are cut into ranges by their
 * first bits, and each range has a tree of its own: so that many can build at once, and a range is a
 * thing that can be locked, or be sent. */
#ifndef BYRE_APPS_TREE_H
#define BYRE_APPS_TREE_H

#include "apps.h"

#define TREE_KEY_BITS 24
#define TREE_RANGES 64

struct node {
    uint32_t key, count;
    struct node *left, *right;
};

struct tree_entry {
    uint32_t key, count;
};

uint32_t tree_key(size_t i);
unsigned tree_range(uint32_t key);
/* The same keys, range by range; those of range r begin at starts_out[r] (and end at [r + 1]). */
void tree_group(const uint32_t *keys, size_t n, uint32_t *grouped_out,
                size_t starts_out[TREE_RANGES + 1]);
/* Count the key once more. A new node is taken from the array at *spare, where there must be one. */
void tree_insert(struct node **root, uint32_t key, struct node **spare);
/* Write the entries in order of their keys; returns the end of what was written. */
struct tree_entry *tree_walk(const struct node *node, struct tree_entry *out);
/* How many nodes. */
size_t tree_size(const struct node *node);

#endif
