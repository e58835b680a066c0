/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * members.h - the nodes that this daemon knows. Those of the pool come first, in the order of their ranks; behind
 * them names that the ledger knows from earlier: such nodes are not up.
 */
#ifndef BYRED_MEMBERS_H
#define BYRED_MEMBERS_H

#include "sched/daemon/daemon.h"

typedef struct member {
    char name[BYRE__NODE_NAME];
    bool up;              /* part of this pool, and not gone */
    bool synced;          /* has said what it holds */
    bool owned;           /* takes no guests */
    bool bye;             /* has nothing left to do, in byre down */
    uint64_t boot, up_ms; /* of its keeper; of its daemon */
    uint32_t slots;
    uint64_t mem;
} member_t;

bool members_open(void);
int members_count(void); /* of the pool: ranks 0 .. count-1 */
int members_up(void);
int members_self(void);
member_t *member_at(int index);
int member_find(const char *name);   /* -1 */
int member_intern(const char *name); /* -1: no memory, or more than 32767 */
const char *member_name(int index);  /* "" for -1 */
bool member_up(int index);
bool member_is_rank(int index);
bool member_fits(int index, uint32_t cpus, uint64_t mem);

void members_say_sync(int rank); /* WIRE_SYNC to it */
void members_hear_sync(int rank, byre__unpack_t *payload);
void members_hear_sync_end(int rank);
void members_hear_owned(int rank, bool owned);
void members_gone(int rank);
/* Becomes ready when all are in step (invariant D2). */
void members_look(void);

#endif
