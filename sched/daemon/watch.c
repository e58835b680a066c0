/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c - byre wait, at the home of the jobs: who wants to hear of which ends.
 *
 * What has ended is told at once, from the ledger. The others are counted; each is told as it ends, and the
 * last one is followed by DONE. Jobs that come after the question are none of its business, though their
 * numbers may lie in its ranges: nothing above `cutoff' counts.
 */
#include <byre_errors.h>
#include <stdlib.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/members.h"
#include "sched/daemon/wire.h"

typedef struct watch {
    struct watch *next;
    int to;
    uint32_t tag, count;
    range_t *ranges;
    uint64_t pending, found, cutoff;
} watch_t;

static watch_t *watches;

static void say_ended(const watch_t *watch, const byre__job_id_t *id, const char *node,
                      const byre__end_t *end)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, id);
    byre__pack_text(&pack, node);
    byre__pack_end(&pack, end);
    wire_send(watch->to, WIRE_SAY + BYRE__SAY_ENDED, watch->tag, &pack);
    byre__pack_fini(&pack);
}

static void destroy(watch_t *watch)
{
    free(watch->ranges);
    free(watch);
}

static void tell_old_end(void *arg, const ledger_job_t *job)
{
    watch_t *watch = arg;
    const job_t *here = job_find(members_self(), job->id.number);

    if (here != NULL && !(here->bits & JOB_TOLD)) {
        return; /* just ending: watch_ended comes */
    }
    watch->found++;
    say_ended(watch, &job->id, job->node, &job->end);
}

/* *at: as far as the range before it has come, and then this one. */
static void look_at(watch_t *watch, const range_t *range, job_t **at)
{
    uint64_t last = range->first + range->count - 1;

    if (range->count == 0) {
        return;
    }
    *at = jobs_home_from(*at, range->first);
    for (job_t *job = *at; job != NULL && job->number <= last; job = job->newer) {
        *at = job;
        if (!(job->bits & JOB_TOLD)) {
            watch->pending++;
            watch->found++;
            watch->cutoff = job->number > watch->cutoff ? job->number : watch->cutoff;
        }
    }
    (void)ledger_each_ended(byred.ledger, range->first, last, UINT32_MAX, tell_old_end, watch);
}

static void not_found(const watch_t *watch)
{
    byre__pack_t pack = { 0 };

    byre__pack_u32(&pack, (uint32_t)BYRE_ENOTFOUND);
    byre__pack_text(
        &pack, "there is no such job, or its end is so old that it is no longer kept; `byre ps -a' "
               "lists those that are");
    wire_send(watch->to, WIRE_SAY + BYRE__SAY_ERROR, watch->tag, &pack);
    byre__pack_fini(&pack);
}

void serve_watch(int from, uint32_t tag, byre__unpack_t *payload)
{
    watch_t *watch = calloc(1, sizeof *watch);
    char unknown[BYRE__NODE_NAME];
    job_t *at = NULL;

    if (watch == NULL) {
        return;
    }
    watch->to = from;
    watch->tag = tag;
    if (ask_unpack_ranges(payload, &watch->ranges, &watch->count, unknown) == 0) {
        for (uint32_t i = 0; i < watch->count; i++) {
            look_at(watch, &watch->ranges[i], &at);
        }
    }
    if (watch->found == 0) {
        not_found(watch);
        destroy(watch);
    } else if (watch->pending == 0) {
        wire_send(from, WIRE_SAY + BYRE__SAY_DONE, tag, NULL);
        destroy(watch);
    } else {
        watch->next = watches;
        watches = watch;
    }
}

static bool awaits(const watch_t *watch, uint64_t number)
{
    return number <= watch->cutoff && ask_ranges_have(watch->ranges, watch->count, number);
}

void watch_ended(job_t *job, const byre__end_t *end)
{
    byre__job_id_t id = job_id(job);

    job->bits |= JOB_TOLD;

    for (watch_t **at = &watches; *at != NULL;) {
        watch_t *watch = *at;

        if (awaits(watch, job->number)) {
            say_ended(watch, &id, member_name(job->node), end);
            watch->pending--;
        }
        if (watch->pending > 0) {
            at = &watch->next;
            continue;
        }
        wire_send(watch->to, WIRE_SAY + BYRE__SAY_DONE, watch->tag, NULL);
        *at = watch->next;
        destroy(watch);
    }
}

static void forget(int rank, bool all, uint32_t tag)
{
    for (watch_t **at = &watches; *at != NULL;) {
        watch_t *watch = *at;

        if (watch->to == rank && (all || watch->tag == tag)) {
            *at = watch->next;
            destroy(watch);
        } else {
            at = &watch->next;
        }
    }
}

void serve_unwatch(int from, uint32_t tag)
{
    forget(from, false, tag);
}

void watch_member_gone(int rank)
{
    forget(rank, true, 0);
}
