/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ask_submit.c - jobs are accepted.
 *
 * Detached jobs begin their way to a node when the ledger has them on disk, and only then is ACCEPTED said: what
 * could not be written has never been there. Attached jobs live and die with their client until they start, and have
 * no row before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/client.h"
#include "sched/daemon/members.h"

enum { JOBS_MOST = 100000 };

void ask_context(client_t *client, byre__unpack_t *payload)
{
    uint32_t number = byre__unpack_u32(payload);
    client_context_t *more;
    context_t *context;

    if (payload->failed) {
        client->dead = true;
        return;
    }
    context = context_take(payload->at, (size_t)(payload->end - payload->at));
    for (size_t i = 0; i < client->context_count; i++) {
        if (client->contexts[i].number == number) {
            context_drop(client->contexts[i].context);
            client->contexts[i].context = context;
            return;
        }
    }
    more = realloc(client->contexts, (client->context_count + 1) * sizeof *more);
    if (more == NULL) {
        context_drop(context);
        return;
    }
    client->contexts = more;
    more[client->context_count++] = (client_context_t){ number, context };
}

static context_t *context_of(const client_t *client, uint32_t number)
{
    for (size_t i = 0; i < client->context_count; i++) {
        if (client->contexts[i].number == number) {
            return client->contexts[i].context;
        }
    }
    return NULL;
}

/* ---- can it ever run? -------------------------------------------------------------------------- */

static bool fits_somewhere(const byre__spec_t *spec)
{
    for (int rank = 0; rank < members_count(); rank++) {
        if (member_fits(rank, spec->cpus, spec->mem)) {
            return true;
        }
    }
    return false;
}

/* BYRE_OK, or an error and its text. */
static int check(const byre__spec_t *spec, char text[static 256])
{
    int pin = spec->node[0] != '\0' ? member_find(spec->node) : -1;

    if (spec->node[0] != '\0' && !member_is_rank(pin)) {
        snprintf(text, 256, "there is no node %.48s in pool %s: `byre nodes' lists them",
                 spec->node, byred.pool);
        return BYRE_EINVAL;
    }
    if (pin >= 0 && !member_up(pin)) {
        snprintf(text, 256, "node %.48s is gone: `byre up' brings it back when it can be reached",
                 spec->node);
        return BYRE_EPEER;
    }
    if (pin >= 0 ? !member_fits(pin, spec->cpus, spec->mem) : !fits_somewhere(spec)) {
        snprintf(text, 256,
                 "%s can ever give a job %u processors and %llu MiB: ask for less, or start the "
                 "pool with more "
                 "slots (`byre nodes' shows what there is)",
                 pin >= 0 ? "its node cannot, and no other" : "no node", spec->cpus,
                 (unsigned long long)(spec->mem >> 20));
        return BYRE_ERANGE;
    }
    return BYRE_OK;
}

/* ---- accepted ---------------------------------------------------------------------------------- */

typedef struct accepted {
    uint64_t client, first;
    uint32_t tag, count;
} accepted_t;

static void say_accepted(client_t *client, uint32_t tag, uint64_t first, uint32_t count)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = { .number = first };

    snprintf(id.home, sizeof id.home, "%s", member_name(members_self()));
    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, count);
    client_say(client, BYRE__SAY_ACCEPTED, tag, &pack);
    byre__pack_fini(&pack);
}

/* Take them back: as if they had never been there. */
static void refuse(uint64_t first, uint32_t count)
{
    for (uint64_t number = first; number < first + count; number++) {
        job_t *job = job_find(members_self(), number);

        if (job != NULL) {
            byre__job_id_t id = job_id(job);

            if (job->bits & JOB_IN_LEDGER) {
                ledger_delete(byred.ledger, &id, false);
            }
            job_remove(job);
        }
    }
}

static void on_disk(void *arg, int error)
{
    accepted_t *accepted = arg;
    client_t *client = client_by_serial(accepted->client);
    const char *trouble = ledger_trouble(byred.ledger);

    if (error != BYRE_OK) {
        refuse(accepted->first, accepted->count);
        if (client != NULL) {
            client_error(client, accepted->tag, BYRE_ESYSTEM,
                         "the jobs were not accepted, for %s: %s", byred.dir,
                         trouble != NULL ? trouble : "the ledger cannot be written");
        }
    } else {
        for (uint64_t n = accepted->first; n < accepted->first + accepted->count; n++) {
            job_t *job = job_find(members_self(), n);

            if (job != NULL && job->stage == STAGE_HELD) {
                arrive_put(job);
            }
        }
        if (client != NULL) {
            say_accepted(client, accepted->tag, accepted->first, accepted->count);
        }
    }
    free(accepted);
}

static void insert(job_t *job)
{
    ledger_job_t row;

    context_to_ledger(job->context);
    job_to_ledger(job, &row);
    if (ledger_insert(byred.ledger, &row) == BYRE_OK) {
        job->bits |= JOB_IN_LEDGER;
    }
}

static void attach(job_t *job, client_t *client, uint32_t tag)
{
    live_t *live = job_live(job);

    if (live != NULL) {
        live->client = client;
        live->tag = tag;
        live->next = client->jobs;
        if (live->next != NULL) {
            live->next->prev = live;
        }
        client->jobs = live;
    }
}

/* ---- submitted --------------------------------------------------------------------------------- */

/* Look at all first: all are accepted, or none is. true: payload_out begins at the first spec. */
static int look(byre__unpack_t payload, uint32_t count, bool *attached_out, char text[static 256])
{
    uint32_t attached = 0;

    for (uint32_t i = 0; i < count; i++) {
        byre__spec_t spec;
        int error = BYRE_EPROTO;

        byre__unpack_spec(&payload, &spec);
        if (!payload.failed) {
            attached += (spec.flags & BYRE__JOB_ATTACHED) != 0;
            error = check(&spec, text);
        } else {
            snprintf(text, 256, "a job in the request cannot be read");
        }
        byre__spec_fini(&spec);
        if (error != BYRE_OK) {
            return error;
        }
    }
    *attached_out = attached != 0;
    if (!byre__unpack_done(&payload) || (attached != 0 && attached != count)) {
        snprintf(text, 256, "the request cannot be read, or mixes attached and detached jobs");
        return BYRE_EPROTO;
    }
    return BYRE_OK;
}

/* BYRE_OK: all are in the table, as HELD. */
static int create(context_t *context, uint64_t first, uint32_t count, byre__unpack_t *payload)
{
    uint64_t now = byred_ms();

    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *begin = payload->at;
        byre__spec_t spec;
        job_t *job;

        byre__unpack_spec(payload, &spec);
        byre__spec_fini(&spec);
        job = job_create(members_self(), first + i, context, begin, (size_t)(payload->at - begin));
        if (job == NULL) {
            refuse(first, i);
            return BYRE_ENOMEM;
        }
        job->submitted_ms = now;
        job_stage(job, STAGE_HELD);
    }
    byred.tally.submitted += count;
    return BYRE_OK;
}

static void begin_attached(client_t *client, uint32_t tag, uint64_t first, uint32_t count)
{
    say_accepted(client, tag, first, count);
    for (uint64_t n = first; n < first + count; n++) {
        job_t *job = job_find(members_self(), n);

        attach(job, client, tag);
        arrive_put(job);
    }
}

static void begin_detached(client_t *client, uint32_t tag, uint64_t first, uint32_t count)
{
    accepted_t *accepted = malloc(sizeof *accepted);

    if (accepted == NULL) {
        refuse(first, count);
        client_error(client, tag, BYRE_ENOMEM, "the daemon is out of memory");
        return;
    }
    *accepted = (accepted_t){ client->serial, first, tag, count };
    for (uint64_t n = first; n < first + count; n++) {
        insert(job_find(members_self(), n));
    }
    if (ledger_sync(byred.ledger, true, on_disk, accepted) != BYRE_OK) {
        on_disk(accepted, BYRE_ENOMEM);
    }
}

void ask_submit(client_t *client, uint32_t tag, byre__unpack_t *payload)
{
    context_t *context = context_of(client, byre__unpack_u32(payload));
    uint32_t count = byre__unpack_u32(payload);
    uint64_t first;
    bool attached = false;
    char text[256] = "";
    int error;

    if (context == NULL || count == 0 || payload->failed) {
        client_error(client, tag, BYRE_EPROTO,
                     "a request to run nothing, or in an unknown context");
        return;
    }
    if (byred.ending) {
        client_error(client, tag, BYRE_ECLOSED, "pool %s is going down", byred.pool);
        return;
    }
    if (jobs_home_count() + (uint64_t)count > JOBS_MOST) {
        client_error(client, tag, BYRE_ERANGE,
                     "node %s has %u jobs that have not ended, and can have %d: submit the rest "
                     "when some have ended",
                     member_name(members_self()), jobs_home_count(), JOBS_MOST);
        return;
    }
    error = look(*payload, count, &attached, text);
    if (error != BYRE_OK) {
        client_error(client, tag, error, "%s", text);
        return;
    }
    first = ledger_take_numbers(byred.ledger, count);
    if (first == 0 || (!attached && ledger_trouble(byred.ledger) != NULL)) {
        const char *trouble = ledger_trouble(byred.ledger);

        client_error(client, tag, BYRE_ESYSTEM, "no job is accepted, for %s: %s", byred.dir,
                     trouble != NULL ? trouble : "the ledger cannot be written");
        return;
    }
    if (create(context, first, count, payload) != BYRE_OK) {
        client_error(client, tag, BYRE_ENOMEM, "the daemon is out of memory");
    } else if (attached) {
        begin_attached(client, tag, first, count);
    } else {
        begin_detached(client, tag, first, count);
    }
}
