/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * search.h - jobs that look for a node: one question after the other, up to a limit. Several may look at once.
 *
 * Invariants
 *  1. A search that is open has exactly one question under way, or is inside byre__search_start or
 *     byre__search_answered.
 *  2. The job of a search is decided on exactly once: `settled' says that it has been, before its question was
 *     answered. Then a yes is given back, and the search ends.
 *  3. A token names a slot and a turn of it. An answer with another turn is of nobody.
 *  4. At most BYRE__SEARCHES jobs look at once. One more stays here: a burst shall not bury the others in
 *     questions.
 */
#ifndef BYRE__SCHED_SEARCH_H
#define BYRE__SCHED_SEARCH_H

#include "pick.h"

enum { BYRE__SEARCHES = 32 };

typedef struct byre__search {
    byre__policy_job_t job; /* 0: the slot is free */
    uint64_t age;           /* counts up: the oldest search has the lowest */
    uint32_t turn;
    bool settled;
    byre__asked_t asked;
} byre__search_t;

typedef struct byre__searches {
    const byre__world_t *world;
    int probes; /* Lp */
    /* Whom to ask next: a node, or -1 to give up. */
    int (*next)(void *owner, const byre__asked_t *asked, byre__policy_job_t job);
    /* What was heard of a node, before it is acted on; NULL: nothing is done with it. */
    void (*heard)(void *owner, int node, const byre__answer_t *answer);
    void *owner;
    uint64_t ages;
    byre__search_t search[BYRE__SEARCHES];
} byre__searches_t;

/* Decides on the job: now, or when answers have come. */
void byre__search_start(byre__searches_t *s, byre__policy_job_t job);
/* false: the token is not of a search. */
bool byre__search_answered(byre__searches_t *s, int node, uint64_t token,
                           const byre__answer_t *answer);
/* The load has become less: jobs that still look run here while it is below the threshold, oldest first. */
void byre__search_departed(byre__searches_t *s);

/* Tokens: other kinds of questions have their own range. */
enum { BYRE__TOKEN_SEARCH = 0, BYRE__TOKEN_HUNT = 1 };
static inline uint64_t byre__token(unsigned range, uint32_t slot, uint32_t turn)
{
    return (uint64_t)range << 60 | (uint64_t)slot << 32 | turn;
}
static inline unsigned byre__token_range(uint64_t token)
{
    return (unsigned)(token >> 60);
}
static inline uint32_t byre__token_slot(uint64_t token)
{
    return (uint32_t)(token >> 32) & 0xfffffff;
}
static inline uint32_t byre__token_turn(uint64_t token)
{
    return (uint32_t)token;
}

#endif
