/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.c - who handles which frame of the others. Described in wire.h. */
#include <byre_errors.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/ask.h"
#include "sched/daemon/clean.h"
#include "sched/daemon/down.h"
#include "sched/daemon/host.h"
#include "sched/daemon/members.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/recover.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"
#include "sched/daemon/wire.h"

void wire_send(int rank, enum wire type, uint32_t tag, const byre__pack_t *payload)
{
    int error = peer_send(rank, (uint16_t)type, tag, payload, NULL, 0);

    if (error != BYRE_OK && error != BYRE_EPEER) {
        byred_log("a message to node %s could not be sent: %s", peer_name(rank),
                  byre_strerror(error));
    }
}

/* About the places of jobs. */
static bool placing(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;
    byre__job_id_t id;
    byre__context_key_t key;

    switch (frame->type) {
    case WIRE_CONTEXT:
        context_from_peer(frame->from, payload.at, (size_t)(payload.end - payload.at));
        return true;
    case WIRE_CONTEXT_FREE:
        key.a = byre__unpack_u64(&payload);
        key.b = byre__unpack_u64(&payload);
        context_freed_by_peer(frame->from, key);
        return true;
    case WIRE_JOB:
        queue_guest(frame->from, &payload);
        return true;
    case WIRE_RELEASE:
        host_release(frame->from);
        return true;
    case WIRE_DROP:
    case WIRE_RETURN:
    case WIRE_WANT:
    case WIRE_GRANT:
    case WIRE_DENY:
        break;
    default:
        return false;
    }
    byre__unpack_job_id(&payload, &id);
    if (payload.failed) {
        byred_log("node %s sent a frame of type %u that is cut off", peer_name(frame->from),
                  frame->type);
    } else if (frame->type == WIRE_DROP) {
        queue_drop(frame->from, &id);
    } else if (frame->type == WIRE_RETURN) {
        arrive_returned(frame->from, &id);
    } else if (frame->type == WIRE_WANT) {
        grant_wanted(frame->from, &id, byre__unpack_u64(&payload));
    } else if (frame->type == WIRE_GRANT) {
        grant_given(frame->from, &id, byre__unpack_u32(&payload));
    } else {
        grant_denied(frame->from, &id);
    }
    return true;
}

/* About asks of clients. */
static bool asking(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;

    switch (frame->type) {
    case WIRE_LIST:
        serve_list(frame->from, frame->tag, &payload);
        return true;
    case WIRE_NODES:
        serve_nodes(frame->from, frame->tag);
        return true;
    case WIRE_KILLS:
        serve_kills(frame->from, frame->tag, &payload);
        return true;
    case WIRE_WATCH:
        serve_watch(frame->from, frame->tag, &payload);
        return true;
    case WIRE_UNWATCH:
        serve_unwatch(frame->from, frame->tag);
        return true;
    case WIRE_LOG:
        serve_log(frame->from, frame->tag, &payload);
        return true;
    case WIRE_LOG_WINDOW:
        serve_log_window(frame->from, frame->tag, &payload);
        return true;
    case WIRE_LOG_CLOSE:
        serve_log_close(frame->from, frame->tag);
        return true;
    case WIRE_CLEAN:
        clean_heard(&payload);
        return true;
    default:
        if (frame->type > WIRE_SAY) {
            ask_answer(frame->from, frame->tag, (uint16_t)(frame->type - WIRE_SAY), &payload);
            return true;
        }
        return false;
    }
}

static void other(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;

    switch (frame->type) {
    case WIRE_SYNC:
        members_hear_sync(frame->from, &payload);
        break;
    case WIRE_SYNC_ROW:
        recover_hear_row(frame->from, &payload);
        break;
    case WIRE_SYNC_END:
        members_hear_sync_end(frame->from);
        break;
    case WIRE_OWNED:
        members_hear_owned(frame->from, byre__unpack_u8(&payload) != 0);
        break;
    case WIRE_PROBE:
        host_probe(frame);
        break;
    case WIRE_ANSWER:
        host_answer(frame);
        break;
    case WIRE_ENDED:
        finish_reported(frame->from, &payload);
        break;
    case WIRE_ACK:
        finish_acknowledged(frame->from, &payload);
        break;
    case WIRE_KILL:
        finish_order(frame->from, &payload);
        break;
    case WIRE_DOWN:
        down_heard(byre__unpack_u8(&payload));
        break;
    case WIRE_BYE:
        down_bye(frame->from);
        break;
    default:
        stream_wire(frame);
    }
}

void wire_handle(const peer_frame_t *frame)
{
    if (frame->type == PEER_GONE) {
        members_gone(frame->from);
    } else if (member_up(frame->from) && !placing(frame) && !asking(frame)) {
        other(frame);
    }
}
