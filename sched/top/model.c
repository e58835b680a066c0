/* SPDX-License-Identifier: BSD-3-Clause */
/* model.c - the answers of the daemon, and rates; the invariants are in model.h. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_fini(model_t *model)
{
    free(model->nodes);
    free(model->jobs);
    model->nodes = NULL;
    model->jobs = NULL;
    model->node_count = model->job_count = 0;
}

/* ---- rates ----------------------------------------------------------------------------------------- */

static rates_t rates_between(const byre__tally_t *a, const byre__tally_t *b, double seconds)
{
    rates_t r = { 0 };

    if (seconds <= 0) return r;
#define RATE(rate, field) \
    (r.rate = b->field >= a->field ? (double)(b->field - a->field) / seconds : 0)
    RATE(probes, probes_out);
    RATE(won, probes_won);
    RATE(refused, claims_refused);
    RATE(sent, sent);
    RATE(received, received);
    RATE(started, started);
    RATE(ended, ended);
    RATE(messages, peer_messages);
    RATE(bytes, peer_bytes);
    RATE(cpu, cpu_s);
#undef RATE
    return r;
}

static void add_rates(rates_t *sum, const rates_t *r)
{
    sum->probes += r->probes;
    sum->won += r->won;
    sum->refused += r->refused;
    sum->sent += r->sent;
    sum->received += r->received;
    sum->started += r->started;
    sum->ended += r->ended;
    sum->messages += r->messages;
    sum->bytes += r->bytes;
    sum->cpu += r->cpu;
}

/* Invariant 1. */
static rates_t rates_of(const model_node_t *before, const model_node_t *now)
{
    static const byre__tally_t nothing;
    uint64_t up_ms = now->row.up_ms;

    if (before != NULL && before->row.up_ms == up_ms && now->seen_ms > before->seen_ms)
        return rates_between(&before->row.tally, &now->row.tally,
                             (double)(now->seen_ms - before->seen_ms) / 1e3);
    if (up_ms == 0 || now->seen_ms <= up_ms) return rates_between(&nothing, &nothing, 0);
    return rates_between(&nothing, &now->row.tally, (double)(now->seen_ms - up_ms) / 1e3);
}

/* ---- answers --------------------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
    const model_node_t *x = a, *y = b;

    if (x->row.rank != y->row.rank) return x->row.rank < y->row.rank ? -1 : 1;
    return strcmp(x->row.name, y->row.name);
}

const model_node_t *model_node(const model_t *model, const char *name)
{
    for (size_t i = 0; i < model->node_count; i++) {
        if (strcmp(model->nodes[i].row.name, name) == 0) return &model->nodes[i];
    }
    return NULL;
}

bool model_answer(model_t *model, uint64_t now_ms, byre__node_row_t *rows, size_t node_count,
                  byre__row_t *jobs, size_t job_count)
{
    model_node_t *nodes = calloc(node_count + 1, sizeof *nodes);

    if (nodes == NULL) {
        free(rows);
        free(jobs);
        return false;
    }
    for (size_t i = 0; i < node_count; i++) {
        nodes[i].row = rows[i];
        nodes[i].seen_ms = now_ms;
        nodes[i].rates = rates_of(model_node(model, rows[i].name), &nodes[i]);
    }
    free(rows);
    qsort(nodes, node_count, sizeof *nodes, by_rank);
    model_fini(model);
    model->nodes = nodes;
    model->node_count = node_count;
    model->jobs = jobs;
    model->job_count = job_count;
    model->rates_are_means = model->answered_ms == 0;
    model->answered_ms = model->now_ms = now_ms;
    model->up = true;
    model->why[0] = '\0';
    return true;
}

void model_gone(model_t *model, const char *why)
{
    model->up = false;
    snprintf(model->why, sizeof model->why, "%s", why);
}

/* ---- questions ------------------------------------------------------------------------------------- */

totals_t model_totals(const model_t *model)
{
    totals_t t = { .nodes = (unsigned)model->node_count };

    for (size_t i = 0; i < model->node_count; i++) {
        const model_node_t *node = &model->nodes[i];

        if (node->row.state == BYRE__NODE_GONE) continue;
        t.up++;
        t.owned += node->row.state == BYRE__NODE_OWNED;
        t.slots += node->row.slots;
        t.slots_used += node->row.slots_used;
        t.running += node->row.running;
        t.queued += node->row.queued;
        add_rates(&t.rates, &node->rates);
    }
    return t;
}

uint64_t model_not_listed(const model_t *model)
{
    totals_t t = model_totals(model);
    uint64_t open = 0;

    for (size_t i = 0; i < model->job_count; i++) open += model->jobs[i].state != BYRE__JOB_ENDED;
    return open >= MODEL_LISTED_LEAST && open < t.running + t.queued ? t.running + t.queued - open
                                                                     : 0;
}

const byre__row_t *model_job(const model_t *model, const byre__job_id_t *id)
{
    for (size_t i = 0; i < model->job_count; i++) {
        if (byre__job_id_equal(&model->jobs[i].id, id)) return &model->jobs[i];
    }
    return NULL;
}

double model_job_ms(const byre__row_t *job, uint64_t now_ms)
{
    uint64_t from = job->started_ms, to = now_ms;

    if (job->state == BYRE__JOB_QUEUED) from = job->submitted_ms;
    if (job->state == BYRE__JOB_ENDED) {
        if (job->end.started_ms > 0) from = job->end.started_ms;
        to = job->end.ended_ms;
    }
    return from > 0 && to > from ? (double)(to - from) : 0;
}
