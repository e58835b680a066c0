/* SPDX-License-Identifier: BSD-3-Clause */
/* say.c - what the daemon is told. Without a daemon nothing is said: STATE tells it all to the next one. */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>

/* A frame that cannot be kept would be missed: the connection ends, and the next STATE tells everything. */
static void put(keeper_t *k, uint16_t type, const void *data, size_t bytes)
{
    if (byre__stream_put_with(&k->stream, type, 0, &k->pack, data, bytes) == BYRE_OK) return;
    keeper_log("no memory for what the daemon is to be told: its connection is closed");
    k->broken = true;
}

static bool begin(keeper_t *k)
{
    byre__pack_clear(&k->pack);
    return k->stream.fd >= 0 && !k->broken;
}

static void pack_name(keeper_t *k, const keeper_job_t *job)
{
    byre__pack_job_id(&k->pack, &job->id);
    byre__pack_u32(&k->pack, job->attempt);
}

void keeper_say_started(keeper_t *k, const keeper_job_t *job)
{
    if (!begin(k)) return;
    pack_name(k, job);
    byre__pack_u64(&k->pack, (uint64_t)job->pid);
    byre__pack_u64(&k->pack, job->end.started_ms);
    put(k, BYRE__KEPT_STARTED, NULL, 0);
}

void keeper_say_ended(keeper_t *k, const keeper_job_t *job)
{
    if (!begin(k)) return;
    pack_name(k, job);
    byre__pack_end(&k->pack, &job->end);
    put(k, BYRE__KEPT_ENDED, NULL, 0);
}

void keeper_say_output(keeper_t *k, const keeper_job_t *job, uint8_t stream, const void *data,
                       size_t bytes)
{
    if (!begin(k)) return;
    byre__pack_job_id(&k->pack, &job->id);
    byre__pack_u8(&k->pack, stream);
    put(k, BYRE__KEPT_OUTPUT, data, bytes);
}

void keeper_say_room(keeper_t *k, const keeper_job_t *job, uint32_t bytes)
{
    if (!begin(k)) return;
    byre__pack_job_id(&k->pack, &job->id);
    byre__pack_u32(&k->pack, bytes);
    put(k, BYRE__KEPT_ROOM, NULL, 0);
}

static void pack_job(byre__pack_t *pack, const keeper_job_t *job)
{
    byre__pack_job_id(pack, &job->id);
    byre__pack_u32(pack, job->attempt);
    byre__pack_u8(pack, job->state == KEEPER_ENDED);
    byre__pack_u64(pack, (uint64_t)job->pid);
    byre__pack_u64(pack, job->end.started_ms);
    byre__pack_u32(pack, job->flags);
    byre__pack_text(pack, job->cpu_list);
    if (job->state == KEEPER_ENDED) byre__pack_end(pack, &job->end);
}

/* Those that run, then those that ended, as long as the frame is not too long. Room is left for a record. */
static void pack_jobs(keeper_t *k, byre__pack_t *pack, bool ended, uint32_t *count)
{
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        if ((job->state == KEEPER_ENDED) != ended || pack->bytes > BYRE__FRAME_MAX - 4096) continue;
        pack_job(pack, job);
        ++*count;
    }
}

/* Ends for which STATE has no room follow as ENDED: they are at the end of the list. */
static void say_rest(keeper_t *k, uint32_t told)
{
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) {
        if (job->state != KEEPER_ENDED) continue;
        if (told > 0)
            told--;
        else
            keeper_say_ended(k, job);
    }
}

void keeper_say_state(keeper_t *k)
{
    byre__pack_t list = { 0 };
    uint32_t count = 0, running;
    if (!begin(k)) return;
    pack_jobs(k, &list, false, &count);
    running = count;
    pack_jobs(k, &list, true, &count);
    byre__pack_u32(&k->pack, BYRE__TALK_VERSION);
    byre__pack_u64(&k->pack, k->began_ms);
    byre__pack_u32(&k->pack, count);
    k->pack.failed |= list.failed;
    put(k, BYRE__KEPT_STATE, list.data, list.bytes);
    byre__pack_fini(&list);
    say_rest(k, count - running);
}
