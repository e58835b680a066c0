/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * talk.h - who says what: client to daemon, daemon to keeper. Frames of frame.h, payloads of pack.h, in the
 * order in which the fields are listed. `id' is a job id, `bytes' the rest of the frame, raw.
 * What daemons say to one another is in daemon/peer.h: active messages.
 *
 * Where: the daemon listens on DIR/byred.sock, the keeper on DIR/keeper.sock. DIR is the state directory of
 * this user, pool and node (state.h).
 */
#ifndef BYRE__SCHED_TALK_H
#define BYRE__SCHED_TALK_H

#include "job.h"

#define BYRE__TALK_VERSION 1

/* ---- client -> daemon (tag: the client's), and what comes back with the same tag --------------------
 * Anything may be answered by ERROR; then that is the end of it. */
enum byre__talk_client {
    /* hello: u32 version -> WELCOME: u32 version, text node, text pool, u32 nodes, u32 nodes that are up */
    BYRE__ASK_HELLO = 1,
    /* u32 number, bytes: a packed context; jobs name it by its number on this connection. No answer. */
    BYRE__ASK_CONTEXT,
    /* u32 context, u32 count, count specs -> ACCEPTED: id of the first (the others follow it), u32 count.
     * Detached jobs are in the ledger when ACCEPTED is sent. For attached jobs STARTED, OUTPUT and ENDED
     * follow by themselves. */
    BYRE__ASK_SUBMIT,
    /* u32 count, count x (id of the first, u64 how many) -> ENDED for each, as it ends, then DONE */
    BYRE__ASK_WAIT,
    /* u32 signal, u32 count, count x (first, how many) -> KILLED: u64 jobs that were there and not ended.
     * Signal 0 looks only. A queued job is cancelled by SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGQUIT. */
    BYRE__ASK_KILL,
    /* u8 what (bits: 1 not ended, 2 ended), u32 at most, u32 count, ranges (none: all) -> ROW each, DONE */
    BYRE__ASK_LIST,
    /* -> NODE each, DONE */
    BYRE__ASK_NODES,
    /* id, u8 stream (1 stdout, 2 stderr), u64 offset, u8 follow -> OUTPUT in pieces, DONE: u64 bytes
     * that there are. Pieces stop when the window (WINDOW; 256 KiB at the beginning) is used up. */
    BYRE__ASK_LOG,
    /* u8 how (0: daemons go, jobs go on; 1: jobs are killed too) -> DONE when all that can be reached know */
    BYRE__ASK_DOWN,

    /* about a job with STREAMS; no answer */
    BYRE__ASK_STDIN =
        32, /* id, bytes. At most as many as ROOM has allowed (64 KiB at the beginning) */
    BYRE__ASK_STDIN_END, /* id */
    BYRE__ASK_WINDOW, /* id, u8 stream, u32 bytes: so many more may be sent as OUTPUT (64 KiB at first) */
    BYRE__ASK_SIGNAL, /* id, u32 signal: to its whole process tree; with PTY to the foreground group */
    BYRE__ASK_RESIZE, /* id, u32 rows, u32 cols */

    BYRE__SAY_ERROR =
        64, /* i32 (as u32) BYRE_E*, text for a person: what happened and what to do */
    BYRE__SAY_WELCOME,
    BYRE__SAY_ACCEPTED,
    BYRE__SAY_DONE,
    BYRE__SAY_KILLED,
    BYRE__SAY_ROW,     /* row */
    BYRE__SAY_NODE,    /* node row: node.h */
    BYRE__SAY_STARTED, /* id, text node, u64 pid, text cpu list */
    BYRE__SAY_OUTPUT,  /* id, u8 stream, bytes */
    BYRE__SAY_ENDED,   /* id, text node ("" if it never had one), end. After the last OUTPUT. */
    BYRE__SAY_ROOM     /* id, u32 bytes: so many more may be sent as STDIN */
};

/* ---- daemon <-> keeper ------------------------------------------------------------------------------
 * One daemon at a time: a second connection replaces the first. */
enum byre__talk_keeper {
    /* u32 version -> STATE */
    BYRE__KEEP_HELLO = 128,
    /* key (u64 a, u64 b), bytes: a packed context, kept until the daemon says FREE or goes */
    BYRE__KEEP_CONTEXT,
    BYRE__KEEP_FREE, /* key */
    /* id, u32 attempt, key, spec, text cpu list ("": anywhere), text memory node list ("": any),
     * u32 count of extra variables ("NAME=value", over the context's; the spec's own come over these) -> STARTED or ENDED, in any order with others.
     * The same id and attempt again is answered with what is known of it, and starts nothing. */
    BYRE__KEEP_START,
    BYRE__KEEP_SIGNAL, /* id, u32 attempt, u32 signal: to all its processes */
    BYRE__KEEP_KILL,   /* id, u32 attempt, u32 grace in ms: TERM, then KILL, to all its processes */
    BYRE__KEEP_STDIN,  /* id, bytes */
    BYRE__KEEP_STDIN_END, /* id */
    BYRE__KEEP_WINDOW,    /* id, u8 stream, u32 bytes */
    BYRE__KEEP_RESIZE,    /* id, u32 rows, u32 cols */
    /* id, u32 attempt: the end has been recorded elsewhere, it need not be remembered; u8 1: nor its output */
    BYRE__KEEP_FORGET,
    BYRE__KEEP_FREEZE, /* id, u8 on: stop or continue all its processes */
    BYRE__KEEP_BIND,   /* id, text cpu list: move it to these processors */
    /* u8 1: kill all jobs first. The keeper ends as soon as it has no job, no end to tell and no daemon. */
    BYRE__KEEP_QUIT,

    /* u32 version, u64 when the keeper began (ms), u32 count, count x (id, u32 attempt, u8 ended,
     * u64 pid, u64 started_ms, u32 flags, text cpu list, end: of those that ended) */
    BYRE__KEPT_STATE = 160,
    BYRE__KEPT_STARTED, /* id, u32 attempt, u64 pid, u64 started_ms */
    BYRE__KEPT_OUTPUT,  /* id, u8 stream, bytes */
    BYRE__KEPT_ROOM,    /* id, u32 bytes */
    BYRE__KEPT_ENDED /* id, u32 attempt, end. After the last OUTPUT. Repeated in STATE until FORGET. */
};

#endif
