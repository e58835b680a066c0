/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c - one run: jobs arrive, wait, run and end; see engine.h for what holds meanwhile. */
#include "engine.h"

#include <math.h>
#include <stdlib.h>

void sim_put(sim_engine_t *e, double after, enum sim_kind kind, int node, uint64_t what)
{
    sim_event_t event = {
        .at = e->now + after, .kind = (uint32_t)kind, .node = (uint32_t)node, .what = what
    };

    if (!sim_heap_put(&e->heap, event)) {
        e->failed = true;
    }
}

double sim_capacity(const sim_setup_t *setup)
{
    double sum = 0;

    for (int i = 0; i < setup->nodes; i++) {
        sum += setup->speeds[i % setup->speed_count];
    }
    return sum * setup->slots / setup->mean_s;
}

/* ---- jobs and queues ---------------------------------------------------------------------------- */

static int32_t new_job(sim_engine_t *e)
{
    int32_t found = e->free_job;

    if (found == NOTHING) {
        size_t room = e->job_room ? 2 * e->job_room : 1024;
        sim_job_t *grown = room <= INT32_MAX ? realloc(e->job, room * sizeof *grown) : NULL;

        if (!grown) {
            e->failed = true;
            return NOTHING;
        }
        for (size_t i = room; i-- > e->job_room;) {
            grown[i].next = e->free_job;
            e->free_job = (int32_t)i;
        }
        e->job = grown;
        e->job_room = room;
        found = e->free_job;
    }
    e->free_job = e->job[found].next;
    return found;
}

/* Slots in use over time, since measuring began. */
static void account(sim_engine_t *e, int change)
{
    e->used_s += (double)e->slots_used * (e->now - e->used_since);
    e->used_since = e->now;
    e->slots_used += (uint64_t)change;
}

static void begin(sim_engine_t *e, int node, int32_t job)
{
    account(e, 1);
    e->node[node].running++;
    sim_put(e, e->job[job].service_s / e->node[node].speed, SIM_END, node, (uint64_t)job);
}

void sim_place(sim_engine_t *e, int node, int32_t job)
{
    sim_node_t *n = &e->node[node];

    if (n->running < e->setup->slots) {
        begin(e, node, job);
        return;
    }
    e->job[job].next = NOTHING;
    if (n->last == NOTHING) {
        n->first = job;
    } else {
        e->job[n->last].next = job;
    }
    n->last = job;
    n->waiting++;
    n->movable += !e->job[job].moved;
}

/* Out of the queue; before: the job that it follows, or NOTHING. */
static void take_out(sim_engine_t *e, sim_node_t *n, int32_t job, int32_t before)
{
    int32_t next = e->job[job].next;

    if (before == NOTHING) {
        n->first = next;
    } else {
        e->job[before].next = next;
    }
    if (n->last == job) {
        n->last = before;
    }
    n->waiting--;
    n->movable -= !e->job[job].moved;
}

int32_t sim_take_movable(sim_engine_t *e, int node)
{
    sim_node_t *n = &e->node[node];
    int32_t before = NOTHING, job = n->movable ? n->first : NOTHING;

    while (job != NOTHING && e->job[job].moved) {
        before = job;
        job = e->job[job].next;
    }
    if (job != NOTHING) {
        take_out(e, n, job, before);
    }
    return job;
}

/* ---- what policies are told later (invariant 3) -------------------------------------------------- */

void sim_notify(sim_engine_t *e, int node, int from)
{
    if (e->notices == e->notice_room) {
        size_t room = e->notice_room ? 2 * e->notice_room : 64;
        sim_notice_t *grown = realloc(e->notice, room * sizeof *grown);

        if (!grown) {
            e->failed = true;
            return;
        }
        e->notice = grown;
        e->notice_room = room;
    }
    e->notice[e->notices++] = (sim_notice_t){ .node = node, .from = from };
}

/* In order; telling one may add others. */
static void tell(sim_engine_t *e)
{
    const byre__policy_t *policy = e->setup->policy;

    for (size_t i = 0; i < e->notices; i++) {
        sim_notice_t notice = e->notice[i];
        void *state = e->node[notice.node].policy;

        if (notice.from == NOTHING) {
            policy->departed(state);
        } else {
            policy->received(state, notice.from);
        }
    }
    e->notices = 0;
}

/* ---- arrivals ----------------------------------------------------------------------------------- */

/* Poisson streams of many nodes are one, whose nodes are random. */
static bool merged(const sim_setup_t *setup)
{
    return setup->arrival.shape == SIM_EXP;
}

static void first_arrivals(sim_engine_t *e)
{
    const sim_setup_t *setup = e->setup;
    int streams = merged(setup) ? 1 : setup->sources;

    if (setup->trace) {
        if (setup->trace->count > 0) {
            sim_put(e, setup->trace->arrival[0].at, SIM_ARRIVAL, 0, 0);
        }
        return;
    }
    e->gap_s = streams / (setup->rho * sim_capacity(setup));
    for (int i = 0; i < streams; i++) {
        /* Not all at once: also clocks that tick alike do not begin alike. */
        sim_put(e, e->gap_s * sim_rng_unit(&e->work), SIM_ARRIVAL, i, 0);
    }
}

static sim_arrival_t draw_arrival(sim_engine_t *e, int stream)
{
    const sim_setup_t *setup = e->setup;
    sim_arrival_t arrival = { .at = e->now, .node = stream };

    if (setup->trace) {
        arrival = setup->trace->arrival[e->arrived];
        if (arrival.node < 0) {
            arrival.node = (int)sim_rng_below(&e->work, (uint64_t)setup->sources);
        }
        if (e->arrived + 1 < setup->trace->count) {
            sim_put(e, setup->trace->arrival[e->arrived + 1].at - e->now, SIM_ARRIVAL, 0, 0);
        }
        return arrival;
    }
    if (merged(setup)) {
        arrival.node = (int)sim_rng_below(&e->work, (uint64_t)setup->sources);
    }
    arrival.service_s = setup->mean_s * sim_dist_draw(&setup->service, &e->work);
    sim_put(e, e->gap_s * sim_dist_draw(&setup->arrival, &e->work), SIM_ARRIVAL, stream, 0);
    return arrival;
}

/* A run whose jobs are all known to the end: a trace that is replayed, or written. */
static size_t all_jobs(const sim_setup_t *setup)
{
    return setup->trace ? setup->trace->count : setup->record ? setup->jobs : 0;
}

static void arrive(sim_engine_t *e, int stream)
{
    size_t all = all_jobs(e->setup);
    sim_arrival_t arrival;
    int32_t job;

    if (all > 0 && e->arrived >= all) {
        return;
    }
    job = new_job(e);
    if (job == NOTHING) {
        return;
    }
    arrival = draw_arrival(e, stream);
    if (e->setup->record) {
        sim_trace_line(e->setup->record, &arrival);
    }
    e->arrived++;
    e->inside++;
    e->job[job] = (sim_job_t){ .arrived = e->now, .service_s = arrival.service_s, .next = NOTHING };
    e->setup->policy->arrive(e->node[arrival.node].policy, (byre__policy_job_t)job + 1);
}

/* ---- ends --------------------------------------------------------------------------------------- */

static void start_measuring(sim_engine_t *e)
{
    account(e, 0);
    e->measuring = true;
    e->used_s = 0;
    e->begun = e->now;
}

static void measure(sim_engine_t *e, const sim_job_t *job)
{
    double response = e->now - job->arrived;

    e->measured++;
    e->response_s += response;
    e->service_s += job->service_s;
    sim_histogram_add(e->result->response, response);
    sim_histogram_add(e->result->ratio, job->service_s > 0 ? response / job->service_s : 1);
}

static void end(sim_engine_t *e, int node, int32_t job)
{
    sim_node_t *n = &e->node[node];
    int32_t next = n->first;

    account(e, -1);
    n->running--;
    e->ended++;
    e->inside--;
    if (e->measuring) {
        measure(e, &e->job[job]);
    } else if (e->ended >= e->setup->warmup) {
        start_measuring(e);
    }
    e->job[job].next = e->free_job;
    e->free_job = job;
    if (next != NOTHING) {
        take_out(e, n, next, NOTHING);
        begin(e, node, next);
    }
    if (e->setup->policy->departed) {
        sim_notify(e, node, NOTHING);
    }
}

/* ---- the run ------------------------------------------------------------------------------------ */

static void happen(sim_engine_t *e, const sim_event_t *event)
{
    const byre__policy_t *policy = e->setup->policy;
    int node = (int)event->node;

    switch ((enum sim_kind)event->kind) {
    case SIM_ARRIVAL:
        arrive(e, node);
        break;
    case SIM_END:
        end(e, node, (int32_t)event->what);
        break;
    case SIM_DELIVERY:
        sim_deliver(e, node, (int32_t)event->what);
        break;
    case SIM_QUESTION:
        sim_question(e, (int32_t)event->what);
        break;
    case SIM_ANSWER:
        sim_answer(e, (int32_t)event->what);
        break;
    case SIM_RELEASE:
        sim_release(e, node);
        break;
    case SIM_TIMER:
        if (event->what == e->node[node].turn && policy->timer) {
            policy->timer(e->node[node].policy);
        }
        break;
    }
    tell(e);
}

static bool over(const sim_engine_t *e)
{
    size_t all = all_jobs(e->setup);

    return e->failed ||
           (all > 0 ? e->arrived >= all && e->inside == 0 : e->measured >= e->setup->jobs);
}

static bool prepare(sim_engine_t *e)
{
    const sim_setup_t *setup = e->setup;
    size_t bytes = (setup->policy->state_bytes + 63) / 64 * 64;

    e->free_job = e->free_message = NOTHING;
    sim_rng_seed(&e->work, setup->seed, 1);
    sim_rng_seed(&e->chance, setup->seed, 2);
    e->node = calloc((size_t)setup->nodes, sizeof *e->node);
    e->states = calloc((size_t)setup->nodes, bytes ? bytes : 1);
    if (!e->node || !e->states) {
        return false;
    }
    for (int i = 0; i < setup->nodes; i++) {
        sim_world_init(e, &e->node[i], i);
        e->node[i].policy = e->states + (size_t)i * bytes;
    }
    for (int i = 0; i < setup->nodes; i++) {
        setup->policy->init(e->node[i].policy, &e->node[i].world);
    }
    first_arrivals(e);
    if (all_jobs(setup) > 0 || setup->warmup == 0) {
        start_measuring(e);
    }
    return true;
}

static void sum_up(sim_engine_t *e)
{
    const sim_setup_t *setup = e->setup;
    sim_result_t *result = e->result;
    double jobs = e->measured > 0 ? (double)e->measured : NAN;

    account(e, 0);
    result->jobs = e->measured;
    result->span_s = e->now - e->begun;
    result->mean_s = e->response_s / jobs;
    result->service_s = e->service_s / jobs;
    result->utilisation = e->used_s / (result->span_s * setup->nodes * setup->slots);
    result->probes = (double)e->probes / jobs;
    result->transfers = (double)e->transfers / jobs;
    result->refused = (double)e->refused / jobs;
    result->unstable = !setup->trace && e->inside > 1000 && (double)e->inside > 0.1 * jobs;
}

int sim_run(const sim_setup_t *setup, sim_result_t *result)
{
    sim_engine_t e = { .setup = setup, .result = result };
    sim_event_t event;

    result->events = 0;
    if (!prepare(&e)) {
        e.failed = true;
    }
    while (!over(&e) && sim_heap_take(&e.heap, &event)) {
        e.now = event.at;
        happen(&e, &event);
        result->events++;
    }
    sum_up(&e);
    sim_heap_fini(&e.heap);
    free(e.node);
    free(e.states);
    free(e.job);
    free(e.message);
    free(e.notice);
    return e.failed ? SIM_FAILED : SIM_OK;
}
