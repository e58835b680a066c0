/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - what daemons say to one another, in frames of peer.h. Fields of pack.h in the order listed; `id' a job's.
 * Between two daemons frames keep their order, and none is lost while both live; what one of them has not
 * acknowledged is said again at the next `byre up' (SYNC_ROW).
 */
#ifndef BYRED_WIRE_H
#define BYRED_WIRE_H

#include "sched/daemon/peer.h"

#define WIRE_VERSION 1

enum wire {
    /* ---- at the start: what each holds ---- */
    WIRE_SYNC =
        1, /* u32 version, text pool, u64 boot of the keeper, u64 up_ms, u32 slots, u64 mem, u8 owned */
    /* A job of yours that I was permitted to run: id, u32 attempt, u8 1: it has ended, u64 pid,
     * u64 started_ms, text cpu list, end */
    WIRE_SYNC_ROW,
    WIRE_SYNC_END, /* those were all */
    WIRE_OWNED,    /* u8: my owner is there */

    /* ---- policies ---- */
    WIRE_PROBE,   /* tag; u8 kind, i32 limit, u32 cpus, u64 mem */
    WIRE_ANSWER,  /* tag; u8 yes, i32 load */
    WIRE_RELEASE, /* a claim is not used */

    /* ---- home to executing node ---- */
    WIRE_CONTEXT,      /* raw: packed */
    WIRE_CONTEXT_FREE, /* u64 a, u64 b */
    WIRE_JOB, /* id, u8 1: uses a claim, u64 a, u64 b, u64 submitted_ms, raw: spec. Into your queue */
    WIRE_DROP,      /* id: out of your queue */
    WIRE_GRANT,     /* id, u32 attempt: start it */
    WIRE_DENY,      /* id: do not */
    WIRE_ACK,       /* id, u32 attempt, u8 1: nor its output. Its end is recorded */
    WIRE_KILL,      /* id, u32 attempt (0: any), u32 grace in ms */
    WIRE_SIGNAL,    /* id, u32 signal */
    WIRE_STDIN,     /* id, raw */
    WIRE_STDIN_END, /* id */
    WIRE_WINDOW,    /* id, u8 stream, u32 bytes */
    WIRE_RESIZE,    /* id, u32 rows, u32 cols */

    /* ---- executing node to home ---- */
    WIRE_RETURN,  /* id: out of my queue, place it anew */
    WIRE_WANT,    /* id, u64 boot: I have room now, may I? */
    WIRE_STARTED, /* id, u32 attempt, u64 pid, u64 started_ms, text cpu list */
    WIRE_ENDED,   /* id, u32 attempt, u8 1: because of the owner, end */
    WIRE_OUTPUT,  /* id, u8 stream, raw */
    WIRE_ROOM,    /* id, u32 bytes */

    /* ---- what clients ask, tag: the ask's number at its daemon; answers: WIRE_SAY + BYRE__SAY_... ---- */
    WIRE_LIST,  /* u8 what, u32 at most, u64 next open, u64 last ended, u32 count, ranges
                     -> ROW each, DONE: u64 next open, u64 last ended (both 0: that was all) */
    WIRE_NODES, /* -> NODE */
    WIRE_KILLS, /* u32 signal, u32 count, ranges -> KILLED */
    WIRE_WATCH, /* u32 count, ranges -> ENDED each, DONE */
    WIRE_UNWATCH,
    WIRE_LOG, /* id, u8 stream, u64 offset, u8 follow, u32 rank and tag of who asks, to the home, which sends
                     it on to where the job is -> OUTPUT, DONE */
    WIRE_LOG_WINDOW, /* u32 bytes */
    WIRE_LOG_CLOSE,
    WIRE_CLEAN, /* u32 count, ids: your files of these can go */

    WIRE_DOWN, /* u8 how */
    WIRE_BYE,  /* nothing of mine is left to do */

    WIRE_SAY = 256
};

/* peer_send without raw bytes; what cannot be sent because the peer is gone is dropped: PEER_GONE follows. */
void wire_send(int rank, enum wire type, uint32_t tag, const byre__pack_t *payload);
/* A frame has come. */
void wire_handle(const peer_frame_t *frame);

#endif
