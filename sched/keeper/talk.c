/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * talk.c - the connection of the daemon, and what it asks for (talk.h).
 *
 * A frame that cannot be understood ends the connection, with a line in the log; no job notices, but that those
 * with STREAMS go on as when a daemon dies.
 */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STARTS_A_ROUND = 8 }; /* between them, ends are seen and answers go out */

/* ---- frames: each handler says whether it was one ------------------------------------------------------ */

static bool on_hello(keeper_t *k, byre__unpack_t *payload)
{
    uint32_t version = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload)) return false;
    if (version != BYRE__TALK_VERSION) {
        keeper_log("the daemon speaks version %u, this keeper %u: run `byre down --kill', then "
                   "`byre up'",
                   version, (unsigned)BYRE__TALK_VERSION);
        return false;
    }
    k->quitting = false; /* who comes has not said that we may go */
    keeper_say_state(k);
    return true;
}

static byre__context_key_t unpack_key(byre__unpack_t *payload)
{
    byre__context_key_t key;
    key.a = byre__unpack_u64(payload);
    key.b = byre__unpack_u64(payload);
    return key;
}

static bool on_context(keeper_t *k, byre__unpack_t *payload)
{
    byre__context_key_t key = unpack_key(payload);
    if (payload->failed) return false;
    int error = keeper_context_put(k, key, payload);
    if (error == BYRE_ENOMEM) keeper_log("no memory for the context of a client");
    return error != BYRE_EPROTO; /* its jobs will not start, and say so */
}

static bool on_free(keeper_t *k, byre__unpack_t *payload)
{
    byre__context_key_t key = unpack_key(payload);
    if (!byre__unpack_done(payload)) return false;
    keeper_context_free(k, key);
    return true;
}

static bool unpack_id(byre__unpack_t *payload, byre__job_id_t *id_out)
{
    byre__unpack_job_id(payload, id_out);
    return !payload->failed && keeper_id_is_sound(id_out);
}

/* An order without a context has the job's end in it. */
static bool unpack_order(keeper_t *k, byre__unpack_t *payload, keeper_order_t *order)
{
    order->context = keeper_context_find(k, unpack_key(payload));
    byre__unpack_spec(payload, &order->spec);
    byre__unpack_text_into(payload, order->cpu_list, sizeof order->cpu_list);
    byre__unpack_text_into(payload, order->node_list, sizeof order->node_list);
    order->extra = byre__unpack_texts(payload);
    return byre__unpack_done(payload);
}

static void start(keeper_t *k, const byre__job_id_t *id, uint32_t attempt, keeper_order_t *order)
{
    keeper_job_t *job = keeper_job_create(k, id, attempt);
    if (job == NULL) {
        keeper_log("no memory for a job: the connection is closed, so that nobody waits for it");
        k->broken = true;
        return;
    }
    job->flags = order->spec.flags;
    strcpy(job->cpu_list, order->cpu_list);
    int error = k->leaving ? ECANCELED : keeper_journal_start(k, job);
    if (error != 0)
        keeper_job_failed(k, job, BYRE__END_NO_START, error, strerror(error));
    else if (order->context == NULL)
        keeper_job_failed(k, job, BYRE__END_NO_START, ENOENT,
                          "the keeper was not told the environment of this job");
    else
        keeper_spawn(k, job, order);
}

static bool on_start(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    keeper_order_t order = { 0 };
    if (!unpack_id(payload, &id)) return false;
    uint32_t attempt = byre__unpack_u32(payload);
    bool sound = unpack_order(k, payload, &order);
    if (sound) {
        const keeper_job_t *known = keeper_job_find(k, &id, attempt);
        if (known == NULL)
            start(k, &id, attempt, &order);
        else if (known->state == KEEPER_ENDED)
            keeper_say_ended(k, known);
        else
            keeper_say_started(k, known);
    }
    byre__spec_fini(&order.spec);
    free(order.extra);
    return sound;
}

static bool on_signal(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint32_t attempt = byre__unpack_u32(payload), number = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload) || number == 0 || number >= (uint32_t)_NSIG) return false;
    keeper_job_t *job = keeper_job_find(k, &id, attempt);
    if (job != NULL) keeper_reach_signal(k, job, (int)number);
    return true;
}

static bool on_kill(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint32_t attempt = byre__unpack_u32(payload), grace_ms = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload)) return false;
    keeper_job_t *job = keeper_job_find(k, &id, attempt);
    if (job != NULL) keeper_reach_kill(k, job, grace_ms);
    return true;
}

/* A job whose streams are the daemon's, or NULL. */
static keeper_job_t *streaming(keeper_t *k, const byre__job_id_t *id)
{
    keeper_job_t *job = keeper_job_latest(k, id);
    return job != NULL && job->flags & BYRE__JOB_STREAMS ? job : NULL;
}

static bool on_stdin(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    keeper_job_t *job = streaming(k, &id);
    if (job == NULL || job->state != KEEPER_RUNNING) return true;
    return keeper_stream_stdin(k, job, payload->at, (size_t)(payload->end - payload->at));
}

static bool on_stdin_end(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id) || !byre__unpack_done(payload)) return false;
    keeper_job_t *job = streaming(k, &id);
    if (job != NULL) keeper_stream_stdin_end(k, job);
    return true;
}

static bool on_window(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint8_t stream = byre__unpack_u8(payload);
    uint32_t bytes = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload) || stream < 1 || stream > 2) return false;
    keeper_job_t *job = streaming(k, &id);
    if (job != NULL) keeper_stream_window(k, job, stream, bytes);
    return true;
}

static bool on_resize(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint32_t rows = byre__unpack_u32(payload), cols = byre__unpack_u32(payload);
    if (!byre__unpack_done(payload)) return false;
    keeper_job_t *job = streaming(k, &id);
    if (job != NULL) keeper_stream_resize(job, rows, cols);
    return true;
}

static bool on_forget(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint32_t attempt = byre__unpack_u32(payload);
    uint8_t output_too = byre__unpack_u8(payload);
    if (!byre__unpack_done(payload) || output_too > 1) return false;
    keeper_job_t *job = keeper_job_find(k, &id, attempt);
    if (job != NULL && job->state == KEEPER_ENDED) keeper_job_forget(k, job, output_too == 1);
    return true;
}

static bool on_freeze(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    if (!unpack_id(payload, &id)) return false;
    uint8_t on = byre__unpack_u8(payload);
    if (!byre__unpack_done(payload) || on > 1) return false;
    keeper_job_t *job = keeper_job_latest(k, &id);
    if (job != NULL) keeper_reach_freeze(k, job, on == 1);
    return true;
}

static bool on_bind(keeper_t *k, byre__unpack_t *payload)
{
    byre__job_id_t id;
    char list[sizeof((keeper_job_t *)NULL)->cpu_list];
    unsigned long cpus[KEEPER_CPUS / KEEPER_WORD];
    if (!unpack_id(payload, &id)) return false;
    byre__unpack_text_into(payload, list, sizeof list);
    if (!byre__unpack_done(payload) || !keeper_list_parse(list, cpus, KEEPER_CPUS)) return false;
    keeper_job_t *job = keeper_job_latest(k, &id);
    if (job == NULL || job->state != KEEPER_RUNNING) return true;
    if (list[0] == '\0') memset(cpus, 0xff, sizeof cpus);
    strcpy(job->cpu_list, list);
    keeper_reach_bind(k, job, cpus);
    return true;
}

static bool on_quit(keeper_t *k, byre__unpack_t *payload)
{
    uint8_t kill_first = byre__unpack_u8(payload);
    if (!byre__unpack_done(payload) || kill_first > 1) return false;
    k->quitting = true;
    for (keeper_job_t *job = k->jobs; kill_first && job != NULL; job = job->next)
        keeper_reach_kill(k, job, KEEPER_GRACE_MS);
    return true;
}

static bool handle(keeper_t *k, uint16_t type, byre__unpack_t *payload)
{
    static bool (*const handlers[])(keeper_t *, byre__unpack_t *) = {
        [0] = on_hello,
        [BYRE__KEEP_CONTEXT - BYRE__KEEP_HELLO] = on_context,
        [BYRE__KEEP_FREE - BYRE__KEEP_HELLO] = on_free,
        [BYRE__KEEP_START - BYRE__KEEP_HELLO] = on_start,
        [BYRE__KEEP_SIGNAL - BYRE__KEEP_HELLO] = on_signal,
        [BYRE__KEEP_KILL - BYRE__KEEP_HELLO] = on_kill,
        [BYRE__KEEP_STDIN - BYRE__KEEP_HELLO] = on_stdin,
        [BYRE__KEEP_STDIN_END - BYRE__KEEP_HELLO] = on_stdin_end,
        [BYRE__KEEP_WINDOW - BYRE__KEEP_HELLO] = on_window,
        [BYRE__KEEP_RESIZE - BYRE__KEEP_HELLO] = on_resize,
        [BYRE__KEEP_FORGET - BYRE__KEEP_HELLO] = on_forget,
        [BYRE__KEEP_FREEZE - BYRE__KEEP_HELLO] = on_freeze,
        [BYRE__KEEP_BIND - BYRE__KEEP_HELLO] = on_bind,
        [BYRE__KEEP_QUIT - BYRE__KEEP_HELLO] = on_quit,
    };
    unsigned at = (unsigned)type - BYRE__KEEP_HELLO;
    return at < sizeof handlers / sizeof handlers[0] && handlers[at](k, payload);
}

/* A daemon that asks and does not take the answers has to wait. */
static bool choked(const keeper_t *k)
{
    return byre__stream_backlog(&k->stream) > 4 * (size_t)KEEPER_BACKLOG;
}

static bool next_frames(keeper_t *k)
{
    for (int starts = 0; starts < STARTS_A_ROUND;) {
        byre__frame_t frame;
        byre__unpack_t payload;
        if (k->stream.fd < 0 || k->broken) return false;
        if (choked(k)) return true;
        int got = byre__stream_next(&k->stream, &frame, &payload);
        if (got == 0) return false;
        if (got < 0 || !handle(k, frame.type, &payload)) {
            keeper_log("the daemon sent what is no frame of ours (type %u, %u bytes): its "
                       "connection is closed; jobs go on",
                       got < 0 ? 0 : (unsigned)frame.type, got < 0 ? 0 : frame.bytes);
            k->broken = true;
            return false;
        }
        starts += frame.type == BYRE__KEEP_START;
    }
    return true;
}

bool keeper_talk_frames(keeper_t *k)
{
    k->more = next_frames(k);
    return k->more && !choked(k);
}

/* ---- the connection -------------------------------------------------------------------------------------- */

/* Without a descriptor to spare nobody could come, not even to kill: one is held back for that. */
static int accept_spared(keeper_t *k)
{
    /* cppcheck-suppress nullPointer ; of whom: asked later */
    int fd = accept4(k->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || k->reserve < 0) return fd;
    close(k->reserve);
    /* cppcheck-suppress nullPointer */
    fd = accept4(k->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    k->reserve = -1;
    return fd;
}

/* The daemon hears us no more, but what it said before is still to be read. */
static void hear_out(keeper_t *k)
{
    byre__pack_clear(&k->stream.out);
    k->stream.out_at = 0;
    do {
        while (next_frames(k) && !choked(k)) {}
    } while (!k->broken && !choked(k) && byre__stream_fill(&k->stream) == BYRE_OK);
    k->broken = true;
}

void keeper_talk_accept(keeper_t *k)
{
    int fd = accept_spared(k);
    if (fd < 0) return;
    if (!byre__unix_peer_is_owner(fd)) {
        keeper_log("somebody else's process connected, and was sent away");
        close(fd);
        return;
    }
    if (k->stream.fd >= 0) {
        hear_out(k);
        keeper_talk_lost(k);
    }
    byre__stream_init(&k->stream, fd);
    k->daemon.fd = fd;
    keeper_watch(k, &k->daemon, EPOLLIN);
}

void keeper_talk_lost(keeper_t *k)
{
    keeper_watch(k, &k->daemon, 0);
    k->daemon.fd = -1;
    byre__stream_fini(&k->stream);
    k->broken = k->held = k->more = false;
    if (k->reserve < 0) k->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    keeper_context_free_all(k);
    for (keeper_job_t *job = k->jobs; job != NULL; job = job->next) keeper_spool_begin(k, job);
}

void keeper_talk_event(keeper_t *k, uint32_t events)
{
    if (k->stream.fd < 0 || k->broken || k->more || !(events & ~(uint32_t)EPOLLOUT)) return;
    int error = byre__stream_fill(&k->stream);
    if (error != BYRE_OK && error != BYRE_EAGAIN) k->broken = true;
}

void keeper_talk_flush(keeper_t *k)
{
    if (k->stream.fd < 0) return;
    if (!k->broken && byre__stream_flush(&k->stream) != BYRE_OK) hear_out(k);
    if (k->broken) {
        keeper_talk_lost(k);
        return;
    }
    size_t backlog = byre__stream_backlog(&k->stream);
    keeper_watch(k, &k->daemon,
                 (k->more ? 0U : (uint32_t)EPOLLIN) | (backlog > 0 ? (uint32_t)EPOLLOUT : 0U));
    if (k->held && backlog <= KEEPER_BACKLOG / 2) keeper_stream_release(k);
}
