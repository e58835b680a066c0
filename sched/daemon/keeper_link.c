/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_link.c - the connection to this node's keeper, which has the processes of all jobs.
 *
 *     ABSENT --connect--> GREETED --STATE--> READY
 *       ^  \-- none there: start one, try again                    |
 *       +------------------- closed -------------------------------+
 *
 * A keeper outlives daemons; it is started only when there is none. What is to be said to one that is not there is
 * not kept: when it (or its successor) tells its state, recover.c says again what matters.
 */
#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/frame.h"
#include "sched/talk.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/members.h"
#include "sched/daemon/recover.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"

extern char **environ;

#define TRY_S 0.02  /* between attempts to connect */
#define START_S 5.0 /* a keeper that is not there by then is started again */
#define SILENT_S \
    5.0 /* one that has not told its state by then is complained of, and again each MINUTE_S */
#define MINUTE_S 60.0

static enum { ABSENT, GREETED, READY } state;
static byre__stream_t stream = { .fd = -1 };
static loop_watch_t watch = { .fd = -1 };
static uint64_t boot;
static int pid;        /* 0: unknown */
static pid_t starting; /* daemonises itself: this child ends at once; 0: reaped */
static double try_at = INFINITY, start_at;

bool keeper_ready(void)
{
    return state == READY;
}

uint64_t keeper_boot(void)
{
    return boot;
}

int keeper_pid(void)
{
    return pid;
}

/* ---- start ------------------------------------------------------------------------------------- */

/* Nothing of the MPI around the daemon: the keeper is not of its job. */
static char **clean_environment(void)
{
    size_t count = 0, kept = 0;
    char **list;

    while (environ[count] != NULL) {
        count++;
    }
    list = calloc(count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (!byre__context_is_foreign(environ[i])) {
            list[kept++] = environ[i];
        }
    }
    return list;
}

static void start(void)
{
    char *argv[] = { byred.keeper_path, byred.dir, NULL };
    char **list = clean_environment();
    int error = list == NULL ? ENOMEM : posix_spawn(&starting, argv[0], NULL, NULL, argv, list);

    free(list);
    start_at = byred_now() + START_S;
    if (error != 0) {
        starting = 0;
        byred_log("%s cannot be started: %s", byred.keeper_path, strerror(error));
    }
}

static void reap(void)
{
    int status;

    if (starting > 0 && waitpid(starting, &status, WNOHANG) == starting) {
        if (status != 0) {
            byred_log("%s did not start (status %d): see %s/keeper.log", byred.keeper_path, status,
                      byred.dir);
        }
        starting = 0;
    }
}

/* ---- frames ------------------------------------------------------------------------------------ */

static void put(uint16_t type, const byre__pack_t *pack, const void *data, size_t bytes)
{
    if (stream.fd >= 0 && byre__stream_put_with(&stream, type, 0, pack, data, bytes) != BYRE_OK) {
        byred_log("out of memory for the keeper");
    }
}

static void put_job(const job_t *job, uint16_t type, int values, uint32_t first, uint32_t second)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    if (values > 0) {
        byre__pack_u32(&pack, first);
    }
    if (values > 1) {
        byre__pack_u32(&pack, second);
    }
    put(type, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

bool keeper_put_context(byre__context_key_t key, const void *packed, size_t bytes)
{
    byre__pack_t pack = { 0 };

    byre__pack_u64(&pack, key.a);
    byre__pack_u64(&pack, key.b);
    put(BYRE__KEEP_CONTEXT, &pack, packed, bytes);
    byre__pack_fini(&pack);
    return state == READY;
}

void keeper_free_context(byre__context_key_t key)
{
    byre__pack_t pack = { 0 };

    byre__pack_u64(&pack, key.a);
    byre__pack_u64(&pack, key.b);
    put(BYRE__KEEP_FREE, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

static void pack_variable(byre__pack_t *pack, const char *name, const char *value)
{
    char text[BYRE__JOB_ID + 64];

    snprintf(text, sizeof text, "%s=%s", name, value);
    byre__pack_text(pack, text);
}

bool keeper_start(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (state != READY || job->context == NULL) {
        return false;
    }
    context_to_keeper(job->context);
    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, job->attempt);
    byre__pack_u64(&pack, job->context->key.a);
    byre__pack_u64(&pack, job->context->key.b);
    byre__pack_raw(&pack, job->spec, job->spec_bytes);
    byre__pack_text(&pack, job->run->cpus);
    byre__pack_text(&pack, job->run->nodes);
    byre__pack_u32(&pack, 2);
    pack_variable(&pack, "BYRE_JOB_NODE", member_name(members_self()));
    pack_variable(&pack, "BYRE_POOL", byred.pool);
    put(BYRE__KEEP_START, &pack, NULL, 0);
    byre__pack_fini(&pack);
    return true;
}

void keeper_signal(const job_t *job, int signal)
{
    put_job(job, BYRE__KEEP_SIGNAL, 2, job->attempt, (uint32_t)signal);
}

void keeper_kill(const byre__job_id_t *id, uint32_t attempt, uint32_t grace_ms)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, id);
    byre__pack_u32(&pack, attempt);
    byre__pack_u32(&pack, grace_ms);
    put(BYRE__KEEP_KILL, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

void keeper_forget(const byre__job_id_t *id, uint32_t attempt, bool output_too)
{
    byre__pack_t pack = { 0 };

    byre__pack_job_id(&pack, id);
    byre__pack_u32(&pack, attempt);
    byre__pack_u8(&pack, output_too);
    put(BYRE__KEEP_FORGET, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

void keeper_stdin(const job_t *job, const void *data, size_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    put(BYRE__KEEP_STDIN, &pack, data, bytes);
    byre__pack_fini(&pack);
}

void keeper_stdin_end(const job_t *job)
{
    put_job(job, BYRE__KEEP_STDIN_END, 0, 0, 0);
}

void keeper_window(const job_t *job, uint8_t which, uint32_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, which);
    byre__pack_u32(&pack, bytes);
    put(BYRE__KEEP_WINDOW, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

void keeper_resize(const job_t *job, uint32_t rows, uint32_t cols)
{
    put_job(job, BYRE__KEEP_RESIZE, 2, rows, cols);
}

void keeper_quit(bool kill)
{
    byre__pack_t pack = { 0 };

    byre__pack_u8(&pack, kill);
    put(BYRE__KEEP_QUIT, &pack, NULL, 0);
    byre__pack_fini(&pack);
}

/* ---- what it says ------------------------------------------------------------------------------ */

static void hear_state(byre__unpack_t *payload)
{
    uint32_t version = byre__unpack_u32(payload), count;

    if (version != BYRE__TALK_VERSION) {
        byred_log(
            "the keeper that runs here is of another version (%u): it keeps its jobs; when they "
            "have ended, `byre down' and `byre up' start the new one",
            version);
        exit(1);
    }
    boot = byre__unpack_u64(payload);
    count = byre__unpack_u32(payload);
    state = READY;
    try_at = INFINITY;
    recover_keeper(payload, boot, count);
    byred.work |= WORK_QUEUE;
}

static void hear_job(uint16_t type, byre__unpack_t *payload)
{
    byre__job_id_t id;
    job_t *job;
    byre__end_t end;
    uint32_t attempt;
    int64_t job_pid;

    byre__unpack_job_id(payload, &id);
    job = payload->failed ? NULL : job_find_id(&id);
    if (job == NULL && type != BYRE__KEPT_ENDED) {
        return;
    }
    switch (type) {
    case BYRE__KEPT_STARTED:
        attempt = byre__unpack_u32(payload);
        job_pid = (int64_t)byre__unpack_u64(payload);
        run_started(job, attempt, job_pid, byre__unpack_u64(payload));
        break;
    case BYRE__KEPT_OUTPUT:
        attempt = byre__unpack_u8(payload);
        stream_output(job, (uint8_t)attempt, payload->at, (size_t)(payload->end - payload->at));
        break;
    case BYRE__KEPT_ROOM:
        stream_room(job, byre__unpack_u32(payload));
        break;
    default:
        attempt = byre__unpack_u32(payload);
        byre__unpack_end(payload, &end);
        if (payload->failed) {
            byred_log("the keeper tells an end of %s that cannot be read", job_name(job));
        } else if (job != NULL) {
            run_ended(job, attempt, &end);
        } else {
            keeper_forget(&id, attempt, true);
        }
    }
}

static void closed(const char *why)
{
    byred_log("the keeper is gone (%s): it is looked for", why);
    loop_remove(&watch);
    byre__stream_fini(&stream);
    state = ABSENT;
    context_keeper_gone();
    try_at = byred_now() + TRY_S; /* not at once: it may close again and again */
    start_at = byred_now();
}

static void on_stream(void *arg, uint32_t events)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    int got;

    (void)arg;
    (void)events;
    got = byre__stream_fill(&stream);
    if (got == BYRE_EPEER) { /* what it said before may be here yet */
        events |= EPOLLHUP;
    }
    while ((got = byre__stream_next(&stream, &frame, &payload)) == 1) {
        if (frame.type == BYRE__KEPT_STATE) {
            hear_state(&payload);
        } else if (frame.type > BYRE__KEPT_STATE && frame.type <= BYRE__KEPT_ENDED) {
            hear_job(frame.type, &payload);
        }
    }
    if (got < 0) {
        closed("it does not speak our protocol");
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        closed("connection closed");
    }
}

static int process_of(int fd)
{
    struct ucred who;
    socklen_t bytes = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 ? who.pid : 0;
}

/* It took the connection, that is, the kernel did, and says nothing: it is stopped, or hangs. Nothing is done to it,
 * for with it go its jobs. */
static void silent(void)
{
    char text[256];

    snprintf(text, sizeof text,
             "the keeper of this node's jobs (process %d) does not answer, and the node is not up "
             "before it does: if "
             "it is stopped, kill -CONT %d; kill -KILL %d ends it and its jobs",
             pid, pid, pid);
    byred_complain(member_name(members_self()), text);
}

static bool greet(void)
{
    byre__pack_t pack = { 0 };
    int fd = byre__unix_connect(byred.dir, "keeper.sock");

    if (fd < 0) {
        return false;
    }
    if (!byre__unix_peer_is_owner(fd)) {
        byred_log("%s/keeper.sock belongs to somebody else", byred.dir);
        close(fd);
        return false;
    }
    byre__stream_init(&stream, fd);
    watch = (loop_watch_t){ .fd = fd, .fn = on_stream };
    loop_add(&watch, EPOLLIN);
    byre__pack_u32(&pack, BYRE__TALK_VERSION);
    put(BYRE__KEEP_HELLO, &pack, NULL, 0);
    byre__pack_fini(&pack);
    pid = process_of(fd);
    state = GREETED;
    return true;
}

void keeper_open(void)
{
    try_at = byred_now();
}

double keeper_due(void)
{
    return try_at;
}

void keeper_tick(void)
{
    reap();
    if (state == GREETED) {
        silent();
        try_at = byred_now() + MINUTE_S;
        return;
    }
    if (state == ABSENT && greet()) {
        try_at = byred_now() + SILENT_S;
        return;
    }
    if (state != ABSENT) {
        try_at = INFINITY;
        return;
    }
    if (!byred.ending && start_at <= byred_now()) {
        start();
    }
    try_at = byred_now() + TRY_S;
}

void keeper_flush(void)
{
    if (stream.fd < 0) {
        return;
    }
    if (byre__stream_flush(&stream) == BYRE_EPEER && byre__stream_backlog(&stream) == 0) {
        return; /* reading tells */
    }
    loop_change(&watch, byre__stream_backlog(&stream) != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}
