/* SPDX-License-Identifier: BSD-3-Clause */
/* context.h - what many jobs have in common, kept once and sent once. Described in context.c. */
#ifndef BYRED_CONTEXT_H
#define BYRED_CONTEXT_H

#include "sched/job.h"

typedef struct context {
    struct context *chain;
    byre__context_key_t key;
    void *packed;
    uint32_t bytes, refs;
    bool in_ledger, in_keeper;
    uint64_t *told; /* bit by rank: has it from us, until CONTEXT_FREE */
    uint64_t *held; /* bit by rank: we keep it for jobs of theirs, a reference each */
} context_t;

bool context_open(void);
size_t context_bytes(void); /* of all together */
context_t *context_find(byre__context_key_t key);
/* With a reference for the caller. NULL: no memory. */
context_t *context_take(const void *packed, size_t bytes);
context_t *context_get(context_t *context);
void context_drop(context_t *context);

void context_to_ledger(context_t *context);
void context_to_keeper(context_t *context);
void context_to_peer(context_t *context, int rank);
void context_from_peer(int rank, const void *packed, size_t bytes);
void context_freed_by_peer(int rank, byre__context_key_t key);
void context_peer_gone(int rank);
void context_keeper_gone(void);
void context_ledger_pruned(void); /* rows without a job may have gone: write them again at need */

#endif
