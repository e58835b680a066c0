/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - what is known of the pool: the last answers of the daemon, and how they differ from those before.
 *
 * 1. Rates are differences of two tallies of the same daemon, over the time between them. Where there is no earlier
 *    one (the first answer, a daemon that began anew) they are means since the daemon began.
 * 2. The last answers stay when the daemon goes away: they are shown, and it is said how old they are.
 */
#ifndef BYRE__SCHED_TOP_MODEL_H
#define BYRE__SCHED_TOP_MODEL_H

#include "sched/job.h"
#include "sched/node.h"

/* Per second. */
typedef struct rates {
    double probes, won, refused, sent, received, started, ended, messages, bytes;
    double cpu; /* of the daemons and keepers: seconds a second */
} rates_t;

typedef struct model_node {
    byre__node_row_t row;
    uint64_t seen_ms; /* when this answer came */
    rates_t rates;
} model_node_t;

typedef struct model {
    char pool[40], here[BYRE__NODE_NAME];
    bool up;              /* is the daemon there? */
    char why[512];        /* if not: why, and what to do */
    uint64_t answered_ms; /* when the last answers were complete; 0: never */
    uint64_t now_ms;      /* since 1970 */
    bool rates_are_means; /* since the daemons began: there was no earlier answer */
    model_node_t *nodes;  /* by rank */
    size_t node_count;
    byre__row_t *jobs; /* by home and number; not all, if there are very many */
    size_t job_count;
} model_t;

/* Totals over the nodes that are not gone. */
typedef struct totals {
    unsigned nodes, up, owned;
    uint64_t slots, slots_used, running, queued;
    rates_t rates;
} totals_t;

void model_fini(model_t *model);
/* The answers of one round, all at once. Takes `rows' and `jobs' (malloc'ed), also when it fails: false, no memory. */
bool model_answer(model_t *model, uint64_t now_ms, byre__node_row_t *rows, size_t node_count,
                  byre__row_t *jobs, size_t job_count);
void model_gone(model_t *model, const char *why);

totals_t model_totals(const model_t *model);
/* How many jobs that have not ended are not in `jobs'. So many of each home are always asked for; nodes and jobs are not
 * of the same moment, so of fewer jobs a difference says nothing. */
enum { MODEL_LISTED_LEAST = 50 };
uint64_t model_not_listed(const model_t *model);
const model_node_t *model_node(const model_t *model, const char *name); /* or NULL */
const byre__row_t *model_job(const model_t *model, const byre__job_id_t *id);

/* How long it has been running, or ran; for one that waits, how long it has. */
double model_job_ms(const byre__row_t *job, uint64_t now_ms);

#endif
