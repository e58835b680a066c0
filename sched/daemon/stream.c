/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c - what goes between an attached job and its client while the job runs: input and room for it, output and
 * windows, signals, sizes. Everything is passed on at once; what is on its way is bounded by the windows of
 * the two ends (talk.h), so nothing is held here, but input that comes before the job can take it.
 *
 *   client -- home's daemon ----------------------- home's keeper
 *                   \-- executing node's daemon --- its keeper
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sched/daemon/client.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

enum { FIRST_WINDOW = 64 << 10 };

static void to_node(const job_t *job, enum wire type, const byre__pack_t *more, const void *data,
                    size_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    if (more != NULL) {
        byre__pack_raw(&pack, more->data, more->bytes);
    }
    peer_send(job_is_home(job) ? job->node : job->home, (uint16_t)type, 0, &pack, data, bytes);
    byre__pack_fini(&pack);
}

static void to_client(job_t *job, uint16_t type, const byre__pack_t *more, const void *data,
                      size_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (job->live != NULL && job->live->client != NULL) {
        byre__pack_job_id(&pack, &id);
        if (more != NULL) {
            byre__pack_raw(&pack, more->data, more->bytes);
        }
        client_say_with(job->live->client, type, job->live->tag, &pack, data, bytes);
        byre__pack_fini(&pack);
    }
}

/* ---- towards the job --------------------------------------------------------------------------- */

static bool is_here(const job_t *job)
{
    return job->stage == STAGE_RUNNING && job->run->sent;
}

static bool is_elsewhere(const job_t *job)
{
    return job->stage == STAGE_ELSEWHERE && job->run->sent && member_up(job->node);
}

static void give_input(job_t *job, const void *data, size_t bytes)
{
    live_t *live;

    if (is_here(job) || is_elsewhere(job)) {
        job->bits |= bytes != 0 ? JOB_TOUCHED : 0;
        if (is_here(job)) {
            keeper_stdin(job, data, bytes);
        } else {
            to_node(job, WIRE_STDIN, NULL, data, bytes);
        }
    } else if (job_is_open(job) && (live = job_live(job)) != NULL) {
        byre__pack_raw(&live->input, data, bytes);
    }
}

static void give_input_end(job_t *job)
{
    live_t *live;

    if (is_here(job)) {
        keeper_stdin_end(job);
    } else if (is_elsewhere(job)) {
        to_node(job, WIRE_STDIN_END, NULL, NULL, 0);
    }
    /* Also for a second attempt. */
    if (job_is_home(job) || !is_here(job)) {
        live = job_is_open(job) ? job_live(job) : NULL;
        if (live != NULL) {
            live->input_end = true;
        }
    }
}

static void give_window(job_t *job, uint8_t stream, uint32_t bytes)
{
    byre__pack_t pack = { 0 };
    live_t *live;

    if (stream > 2) {
        return;
    }
    if (is_here(job)) {
        keeper_window(job, stream, bytes);
    } else if (is_elsewhere(job)) {
        byre__pack_u8(&pack, stream);
        byre__pack_u32(&pack, bytes);
        to_node(job, WIRE_WINDOW, &pack, NULL, 0);
        byre__pack_fini(&pack);
    } else if (job_is_open(job) && (live = job_live(job)) != NULL) {
        live->window[stream] += bytes;
    }
}

static void give_size(job_t *job, uint32_t rows, uint32_t cols)
{
    byre__pack_t pack = { 0 };
    live_t *live;

    if (is_here(job)) {
        keeper_resize(job, rows, cols);
    } else if (is_elsewhere(job)) {
        byre__pack_u32(&pack, rows);
        byre__pack_u32(&pack, cols);
        to_node(job, WIRE_RESIZE, &pack, NULL, 0);
        byre__pack_fini(&pack);
    } else if (job_is_open(job) && (live = job_live(job)) != NULL) {
        live->rows = (uint16_t)rows;
        live->cols = (uint16_t)cols;
    }
}

void stream_begun(job_t *job)
{
    live_t *live = job->live;

    if (live == NULL) {
        return;
    }
    for (uint8_t stream = 1; stream <= 2; stream++) {
        if (live->window[stream] != 0) {
            give_window(job, stream, live->window[stream]);
            live->window[stream] = 0;
        }
    }
    if (live->rows != 0) {
        give_size(job, live->rows, live->cols);
        live->rows = 0;
    }
    if (live->input.bytes != 0) {
        give_input(job, live->input.data, live->input.bytes);
        byre__pack_fini(&live->input);
        live->input = (byre__pack_t){ 0 };
    }
    if (live->input_end) {
        give_input_end(job);
    }
    if (!job_is_home(job)) {
        job_live_end(job);
    }
}

/* One of the frames that a client, or a home, sends. */
static void give(job_t *job, uint16_t ask, byre__unpack_t *payload)
{
    uint32_t first;
    uint8_t stream;

    switch (ask) {
    case BYRE__ASK_STDIN:
        give_input(job, payload->at, (size_t)(payload->end - payload->at));
        break;
    case BYRE__ASK_STDIN_END:
        give_input_end(job);
        break;
    case BYRE__ASK_WINDOW:
        stream = byre__unpack_u8(payload);
        give_window(job, stream, byre__unpack_u32(payload));
        break;
    case BYRE__ASK_RESIZE:
        first = byre__unpack_u32(payload);
        give_size(job, first, byre__unpack_u32(payload));
        break;
    default:
        first = byre__unpack_u32(payload);
        if (job_is_home(job)) {
            (void)finish_kill(job, (int)first);
        } else {
            run_signal(job, (int)first);
        }
    }
}

void stream_ask(client_t *client, uint16_t type, byre__unpack_t *payload)
{
    byre__job_id_t id;
    job_t *job;

    byre__unpack_job_id(payload, &id);
    job = payload->failed ? NULL : job_find_id(&id);
    if (job == NULL || job->live == NULL || job->live->client != client) {
        return; /* it has ended meanwhile */
    }
    if (type == BYRE__ASK_STDIN &&
        job->live->input.bytes + (size_t)(payload->end - payload->at) > FIRST_WINDOW) {
        byred_log("a client sends more input for %s than it may: it is dropped", job_name(job));
        client->dead = true;
        return;
    }
    give(job, type, payload);
}

/* ---- from the job ------------------------------------------------------------------------------ */

void stream_output(job_t *job, uint8_t stream, const void *data, size_t bytes)
{
    byre__pack_t pack = { 0 };

    byre__pack_u8(&pack, stream);
    if (job_is_home(job) && job->live != NULL && job->live->client != NULL) {
        job->bits |= JOB_TOUCHED;
        to_client(job, BYRE__SAY_OUTPUT, &pack, data, bytes);
    } else if (!job_is_home(job) && member_up(job->home)) {
        to_node(job, WIRE_OUTPUT, &pack, data, bytes);
    } else {
        keeper_window(job, stream, (uint32_t)bytes);
    }
    byre__pack_fini(&pack);
}

void stream_room(job_t *job, uint32_t bytes)
{
    byre__pack_t pack = { 0 };

    byre__pack_u32(&pack, bytes);
    if (job_is_home(job)) {
        to_client(job, BYRE__SAY_ROOM, &pack, NULL, 0);
    } else if (member_up(job->home)) {
        to_node(job, WIRE_ROOM, &pack, NULL, 0);
    }
    byre__pack_fini(&pack);
}

void stream_say(job_t *job, const char *line)
{
    byre__pack_t pack = { 0 };
    char text[256];
    int length = snprintf(text, sizeof text, "%s\n", line);

    if (!job_is(job, BYRE__JOB_STREAMS)) {
        return;
    }
    byre__pack_u8(&pack, 2);
    if (job_is_home(job)) {
        to_client(job, BYRE__SAY_OUTPUT, &pack, text, (size_t)length);
    } else if (member_up(job->home)) {
        to_node(job, WIRE_OUTPUT, &pack, text, (size_t)length);
    }
    byre__pack_fini(&pack);
}

/* What had been sent to whoever read is granted again, once; what comes from now on by stream_output. */
void stream_orphan(job_t *job)
{
    if (!job_is(job, BYRE__JOB_STREAMS)) {
        return;
    }
    if (is_here(job) || is_elsewhere(job)) {
        give_input_end(job);
        give_window(job, 1, FIRST_WINDOW);
        give_window(job, 2, FIRST_WINDOW);
    }
}

/* ---- from other daemons ------------------------------------------------------------------------ */

static void hear_started(job_t *job, byre__unpack_t *payload)
{
    ledger_job_t row;

    if (byre__unpack_u32(payload) != job->attempt || job->run == NULL) {
        return;
    }
    job->run->pid = (int64_t)byre__unpack_u64(payload);
    job->run->started_ms = byre__unpack_u64(payload);
    byre__unpack_text_into(payload, job->run->cpus, sizeof job->run->cpus);
    job_to_ledger(job, &row);
    ledger_update(byred.ledger, &row);
    client_tell_started(job);
}

static void from_node(job_t *job, const peer_frame_t *frame, byre__unpack_t *payload)
{
    byre__pack_t pack = { 0 };
    size_t bytes;

    if (job->stage != STAGE_ELSEWHERE || job->node != frame->from) {
        return;
    }
    if (frame->type == WIRE_STARTED) {
        hear_started(job, payload);
    } else if (frame->type == WIRE_ROOM) {
        stream_room(job, byre__unpack_u32(payload));
    } else {
        byre__pack_u8(&pack, byre__unpack_u8(payload));
        bytes = (size_t)(payload->end - payload->at);
        if (job->live != NULL && job->live->client != NULL) {
            job->bits |= JOB_TOUCHED;
            to_client(job, BYRE__SAY_OUTPUT, &pack, payload->at, bytes);
        } else if (pack.bytes != 0) {
            give_window(job, pack.data[0], (uint32_t)bytes);
        }
        byre__pack_fini(&pack);
    }
}

static uint16_t ask_of(uint16_t wire)
{
    return wire == WIRE_STDIN       ? BYRE__ASK_STDIN
           : wire == WIRE_STDIN_END ? BYRE__ASK_STDIN_END
           : wire == WIRE_WINDOW    ? BYRE__ASK_WINDOW
           : wire == WIRE_RESIZE    ? BYRE__ASK_RESIZE
                                    : BYRE__ASK_SIGNAL;
}

void stream_wire(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;
    byre__job_id_t id;
    job_t *job;

    byre__unpack_job_id(&payload, &id);
    job = payload.failed ? NULL : job_find_id(&id);
    if (job == NULL || !job_is_open(job)) {
        return;
    }
    switch (frame->type) {
    case WIRE_STARTED:
    case WIRE_OUTPUT:
    case WIRE_ROOM:
        if (job_is_home(job)) {
            from_node(job, frame, &payload);
        }
        return;
    case WIRE_STDIN:
    case WIRE_STDIN_END:
    case WIRE_WINDOW:
    case WIRE_RESIZE:
    case WIRE_SIGNAL:
        if (job->home == frame->from && !job_is_home(job)) {
            give(job, ask_of(frame->type), &payload);
        }
        return;
    default:
        byred_log("node %s sent a frame of unknown type %u", peer_name(frame->from), frame->type);
    }
}
