/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * jobs.c - the table of jobs. Described in jobs.h.
 *
 * A hash table by (home, number), and a list of the home's own jobs by number, for byre ps. A job is about 200
 * bytes and its spec; what comes with running (run_t) and with being watched (live_t) is there only then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/client.h"
#include "sched/daemon/jobs.h"
#include "sched/daemon/members.h"
#include "sched/daemon/queue.h"

static job_t **table;
static size_t buckets, entries, spec_bytes;
static job_t *oldest, *newest; /* of this home */
static uint32_t open_home, running_here;

bool jobs_open(void)
{
    buckets = 4096;
    table = calloc(buckets, sizeof(job_t *));
    return table != NULL;
}

uint32_t jobs_home_count(void)
{
    return open_home;
}

size_t jobs_bytes(void)
{
    return spec_bytes;
}

uint32_t jobs_running(void)
{
    return running_here;
}

/* ---- the table --------------------------------------------------------------------------------- */

static size_t bucket_of(int home, uint64_t number)
{
    uint64_t mixed = (number ^ (uint64_t)(unsigned)home << 40) * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(mixed >> 32) & (buckets - 1);
}

job_t *job_find(int home, uint64_t number)
{
    job_t *job = home < 0 ? NULL : table[bucket_of(home, number)];

    while (job != NULL && (job->number != number || job->home != home)) {
        job = job->chain;
    }
    return job;
}

job_t *job_find_id(const byre__job_id_t *id)
{
    return job_find(member_find(id->home), id->number);
}

static void grow(void)
{
    size_t old = buckets;
    job_t **before = table, **wider = calloc(buckets * 2, sizeof(job_t *));

    if (wider == NULL) {
        return; /* longer chains, nothing worse */
    }
    table = wider;
    buckets *= 2;
    for (size_t i = 0; i < old; i++) {
        for (job_t *at = before[i], *next; at != NULL; at = next) {
            job_t **to = &table[bucket_of(at->home, at->number)];

            next = at->chain;
            at->chain = *to;
            *to = at;
        }
    }
    free(before);
}

static void enter(job_t *job)
{
    job_t **to;

    spec_bytes += job->spec_bytes;
    if (++entries > buckets) {
        grow();
    }
    to = &table[bucket_of(job->home, job->number)];
    job->chain = *to;
    *to = job;
    if (!job_is_home(job)) {
        return;
    }
    open_home++;
    job->older = newest;
    while (job->older != NULL && job->older->number > job->number) {
        job->older = job->older->older;
    }
    job->newer = job->older != NULL ? job->older->newer : oldest;
    *(job->older != NULL ? &job->older->newer : &oldest) = job;
    *(job->newer != NULL ? &job->newer->older : &newest) = job;
}

static void leave(job_t *job)
{
    job_t **at = &table[bucket_of(job->home, job->number)];

    while (*at != job) {
        at = &(*at)->chain;
    }
    *at = job->chain;
    entries--;
    spec_bytes -= job->spec_bytes;
    if (job_is_home(job)) {
        *(job->older != NULL ? &job->older->newer : &oldest) = job->newer;
        *(job->newer != NULL ? &job->newer->older : &newest) = job->older;
    }
}

job_t *job_create(int home, uint64_t number, context_t *context, const void *spec, size_t bytes)
{
    byre__unpack_t unpack = byre__unpack_of(spec, bytes);
    byre__spec_t parsed;
    job_t *job;

    byre__unpack_spec(&unpack, &parsed);
    if (!byre__unpack_done(&unpack) || home < 0 || job_find(home, number) != NULL) {
        byre__spec_fini(&parsed);
        return NULL;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL || (job->spec = malloc(bytes)) == NULL) {
        goto undo_parse;
    }
    memcpy(job->spec, spec, bytes);
    job->spec_bytes = (uint32_t)bytes;
    job->number = number;
    job->home = (int16_t)home;
    job->node = -1;
    job->pin = (int16_t)(parsed.node[0] != '\0' ? member_intern(parsed.node) : -1);
    job->flags = parsed.flags;
    job->cpus = parsed.cpus;
    job->mem = parsed.mem;
    job->context = context != NULL ? context_get(context) : NULL;
    if (parsed.affinity[0] != '\0') {
        job->affinity = parsed.affinity;
        parsed.affinity = NULL;
    }
    byre__spec_fini(&parsed);
    enter(job);
    return job;

undo_parse:
    free(job);
    byre__spec_fini(&parsed);
    return NULL;
}

static void destroy(job_t *job)
{
    job_live_end(job);
    context_drop(job->context);
    free(job->run);
    free(job->end);
    free(job->affinity);
    free(job->spec);
    free(job);
}

void job_remove(job_t *job)
{
    if (job->bits & JOB_GONE) {
        return;
    }
    job_stage(job, STAGE_ENDED);
    leave(job);
    job->bits |= JOB_GONE;
    if (job->holds == 0) {
        destroy(job);
    }
}

void job_hold(job_t *job)
{
    job->holds++;
}

void job_release(job_t *job)
{
    if (--job->holds == 0 && (job->bits & JOB_GONE)) {
        destroy(job);
    }
}

/* ---- what it is -------------------------------------------------------------------------------- */

bool job_is_home(const job_t *job)
{
    return job->home == members_self();
}

bool job_is_open(const job_t *job)
{
    return job->stage != STAGE_ENDED;
}

bool job_begun(const job_t *job)
{
    return job->stage >= STAGE_SYNCING && job->stage <= STAGE_AWAY;
}

static bool on_processors(uint8_t stage)
{
    return stage == STAGE_SYNCING || stage == STAGE_RUNNING;
}

void job_stage(job_t *job, enum job_stage stage)
{
    running_here += (uint32_t)on_processors((uint8_t)stage) - (uint32_t)on_processors(job->stage);
    if (job_is_home(job) && stage == STAGE_ENDED && job->stage != STAGE_ENDED) {
        open_home--;
    }
    job->stage = (uint8_t)stage;
}

bool job_is_deserted(const job_t *job)
{
    return job_is(job, BYRE__JOB_ATTACHED) && (job->live == NULL || job->live->client == NULL);
}

/* Input that was given to it, or output that was taken from it, cannot be undone. */
bool job_may_restart(const job_t *job)
{
    return job_is(job, BYRE__JOB_RESTARTABLE) && (job->bits & (JOB_KILLED | JOB_TOUCHED)) == 0 &&
           !job_is_deserted(job);
}

byre__job_id_t job_id(const job_t *job)
{
    byre__job_id_t id = { .number = job->number };

    snprintf(id.home, sizeof id.home, "%s", member_name(job->home));
    return id;
}

const char *job_name(const job_t *job)
{
    static char names[8][BYRE__JOB_ID];
    static unsigned turn;
    byre__job_id_t id = job_id(job);

    return byre__job_id_format(&id, names[turn++ % 8]);
}

uint8_t job_state(const job_t *job)
{
    return job->stage <= STAGE_ASKING      ? BYRE__JOB_QUEUED
           : job->stage <= STAGE_ELSEWHERE ? BYRE__JOB_STARTED
           : job->stage == STAGE_AWAY      ? BYRE__JOB_AWAY
                                           : BYRE__JOB_ENDED;
}

run_t *job_run(job_t *job)
{
    if (job->run == NULL) {
        job->run = calloc(1, sizeof *job->run);
    }
    return job->run;
}

live_t *job_live(job_t *job)
{
    if (job->live == NULL && (job->live = calloc(1, sizeof *job->live)) != NULL) {
        job->live->job = job;
    }
    return job->live;
}

void job_live_end(job_t *job)
{
    live_t *live = job->live;

    if (live == NULL) {
        return;
    }
    if (live->client != NULL) {
        *(live->prev != NULL ? &live->prev->next : &live->client->jobs) = live->next;
        if (live->next != NULL) {
            live->next->prev = live->prev;
        }
    }
    byre__pack_fini(&live->input);
    free(live);
    job->live = NULL;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void describe(const void *spec, size_t bytes, byre__row_t *row)
{
    byre__unpack_t unpack = byre__unpack_of(spec, bytes);
    byre__spec_t parsed;
    size_t at = 0;

    byre__unpack_spec(&unpack, &parsed);
    if (!unpack.failed) {
        row->flags = parsed.flags;
        row->cpus = parsed.cpus;
        row->mem = parsed.mem;
        snprintf(row->name, sizeof row->name, "%s",
                 parsed.name[0] != '\0' ? parsed.name : parsed.argv[0]);
        for (char **word = parsed.argv; *word != NULL && at < sizeof row->command; word++) {
            int put = snprintf(row->command + at, sizeof row->command - at, "%s%s",
                               word == parsed.argv ? "" : " ", *word);

            at += put > 0 ? (size_t)put : 0;
        }
    }
    byre__spec_fini(&parsed);
}

void job_row(const job_t *job, byre__row_t *row)
{
    memset(row, 0, sizeof *row);
    row->id = job_id(job);
    describe(job->spec, job->spec_bytes, row);
    row->state = job_state(job);
    row->attempt = job->attempt;
    snprintf(row->node, sizeof row->node, "%s", member_name(job->node));
    row->submitted_ms = job->submitted_ms;
    if (job->run != NULL && job_begun(job)) {
        byred_copy(row->cpu_list, sizeof row->cpu_list, job->run->cpus);
        row->pid = job->run->pid;
        row->started_ms = job->run->started_ms;
    }
    if (job->end != NULL) {
        row->end = *job->end;
    }
}

void job_row_of_ledger(const ledger_job_t *from, byre__row_t *row)
{
    memset(row, 0, sizeof *row);
    row->id = from->id;
    describe(from->spec, from->spec_bytes, row);
    row->state = from->state;
    row->attempt = from->attempt;
    snprintf(row->node, sizeof row->node, "%s", from->node);
    byred_copy(row->cpu_list, sizeof row->cpu_list, from->cpu_list);
    row->pid = from->pid;
    row->submitted_ms = from->submitted_ms;
    row->started_ms = from->started_ms;
    row->end = from->end;
}

void job_to_ledger(const job_t *job, ledger_job_t *to)
{
    memset(to, 0, sizeof *to);
    to->id = job_id(job);
    to->guest = !job_is_home(job);
    to->state = job_state(job);
    to->attempt = job->attempt;
    snprintf(to->node, sizeof to->node, "%s", member_name(job->node));
    if (job->context != NULL) {
        to->context = job->context->key;
    }
    to->spec = job->spec;
    to->spec_bytes = job->spec_bytes;
    to->submitted_ms = job->submitted_ms;
    if (job->run != NULL) {
        to->node_boot = job->run->boot;
        snprintf(to->cpu_list, sizeof to->cpu_list, "%s", job->run->cpus);
        to->pid = job->run->pid;
        to->started_ms = job->run->started_ms;
    }
    if (job->end != NULL) {
        to->end = *job->end;
    }
}

/* ---- walks and lists --------------------------------------------------------------------------- */

job_t *jobs_home_from(job_t *at, uint64_t number)
{
    job_t *job = job_find(members_self(), number);

    if (job != NULL || newest == NULL || newest->number < number) {
        return job;
    }
    job = at != NULL && at->number <= number ? at : oldest;
    while (job->number < number) {
        job = job->newer;
    }
    return job;
}

job_t *jobs_home_newest(void)
{
    return newest;
}

job_t *jobs_first(void)
{
    for (size_t i = 0; i < buckets; i++) {
        if (table[i] != NULL) {
            return table[i];
        }
    }
    return NULL;
}

job_t *jobs_next(const job_t *job)
{
    if (job->chain != NULL) {
        return job->chain;
    }
    for (size_t i = bucket_of(job->home, job->number) + 1; i < buckets; i++) {
        if (table[i] != NULL) {
            return table[i];
        }
    }
    return NULL;
}

void jobs_each(void (*fn)(job_t *job, void *arg), void *arg)
{
    for (job_t *job = jobs_first(), *next; job != NULL; job = next) {
        next = jobs_next(job);
        fn(job, arg);
    }
}

void job_list_append(job_list_t *list, job_t *job)
{
    job->prev = list->last;
    job->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = job;
    list->last = job;
    list->count++;
}

void job_list_prepend(job_list_t *list, job_t *job)
{
    job->prev = NULL;
    job->next = list->first;
    *(list->first != NULL ? &list->first->prev : &list->last) = job;
    list->first = job;
    list->count++;
}

void job_list_insert(job_list_t *list, job_t *job)
{
    job_t *after = list->first;

    while (after != NULL && after->number < job->number) {
        after = after->next;
    }
    if (after == NULL) {
        job_list_append(list, job);
    } else if (after->prev == NULL) {
        job_list_prepend(list, job);
    } else {
        job->prev = after->prev;
        job->next = after;
        after->prev->next = job;
        after->prev = job;
        list->count++;
    }
}

void job_list_remove(job_list_t *list, job_t *job)
{
    *(job->prev != NULL ? &job->prev->next : &list->first) = job->next;
    *(job->next != NULL ? &job->next->prev : &list->last) = job->prev;
    job->prev = job->next = NULL;
    list->count--;
}
