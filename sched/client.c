/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - the connection of a client: how it is made, how questions and answers find each other. The
 * invariants are in client.h.
 */
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

int byre__client_fail(byre_sched_t *sched, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(sched->explain, sizeof sched->explain, format, args);
    va_end(args);
    return error;
}

/* The connection is over: is the daemon? */
static bool is_there(const byre_sched_t *sched)
{
    int fd = sched->dir != NULL ? byre__unix_connect(sched->dir, "byred.sock") : -1;

    if (fd >= 0) close(fd);
    return fd >= 0;
}

int byre__client_broken(byre_sched_t *sched, int error)
{
    if (error == BYRE_EPEER && is_there(sched))
        return byre__client_fail(sched, error,
                                 "the daemon of this node (byred) has ended this connection: it "
                                 "does so when too much waits "
                                 "to be read, and byred.log says so; read faster, or ask for less");
    if (error == BYRE_EPEER)
        return byre__client_fail(sched, error, "the daemon of this node (byred) has ended");
    if (error == BYRE_EPROTO)
        return byre__client_fail(
            sched, error,
            "the daemon of this node says what this program does not understand: "
            "are they of different versions?");
    return byre__client_fail(sched, error, "%s", byre_strerror(error));
}

/* ---- questions and answers ------------------------------------------------------------------------- */

int byre__client_ask(byre_sched_t *sched, uint16_t type, const byre__pack_t *payload,
                     uint32_t *tag_out)
{
    int error;

    if (payload != NULL && payload->failed) return byre__client_broken(sched, BYRE_ENOMEM);
    error = byre__stream_put(&sched->stream, type, ++sched->tag, payload);
    if (error == BYRE_ERANGE)
        return byre__client_fail(sched, error, "that is too much to be said at once");
    if (error == BYRE_OK) error = byre__stream_drain(&sched->stream);
    if (error != BYRE_OK) return byre__client_broken(sched, error);
    *tag_out = sched->tag;
    return BYRE_OK;
}

int byre__client_error(byre_sched_t *sched, byre__unpack_t *payload)
{
    int error = (int32_t)byre__unpack_u32(payload);
    char *text = byre__unpack_text(payload);

    if (text == NULL || !byre__unpack_done(payload) || error >= 0) {
        free(text);
        return byre__client_broken(sched, BYRE_EPROTO);
    }
    error = byre__client_fail(sched, error, "%s", text[0] ? text : byre_strerror(error));
    free(text);
    return error;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int byre__client_answer(byre_sched_t *sched, uint32_t tag, int timeout_ms, byre__frame_t *frame_out,
                        byre__unpack_t *payload_out)
{
    int64_t end = timeout_ms < 0 ? 0 : now_ms() + timeout_ms;
    int got;

    do {
        int64_t left = timeout_ms < 0 ? -1 : end - now_ms();

        if (timeout_ms >= 0 && left < 0) left = 0;
        got = byre__stream_await(&sched->stream, frame_out, payload_out, (int)left);
        if (got == BYRE_ETIMEOUT) return byre__client_fail(sched, got, "no answer in time");
        if (got < 0) return byre__client_broken(sched, got);
    } while (frame_out->tag != tag);
    return frame_out->type == BYRE__SAY_ERROR ? byre__client_error(sched, payload_out) : BYRE_OK;
}

int byre__client_expect(byre_sched_t *sched, uint32_t tag, uint16_t type,
                        byre__unpack_t *payload_out)
{
    byre__frame_t frame;
    int error = byre__client_answer(sched, tag, -1, &frame, payload_out);

    if (error == BYRE_OK && frame.type != type) error = byre__client_broken(sched, BYRE_EPROTO);
    return error;
}

/* ---- hello ----------------------------------------------------------------------------------------- */

static int hello(byre_sched_t *sched, int timeout_ms)
{
    byre__pack_t ask = { 0 };
    byre__frame_t frame;
    byre__unpack_t say;
    uint32_t tag = 0, version;
    int error;

    byre__pack_u32(&ask, BYRE__TALK_VERSION);
    error = byre__client_ask(sched, BYRE__ASK_HELLO, &ask, &tag);
    byre__pack_fini(&ask);
    if (error == BYRE_OK) error = byre__client_answer(sched, tag, timeout_ms, &frame, &say);
    if (error != BYRE_OK) return error;
    if (frame.type != BYRE__SAY_WELCOME) return byre__client_broken(sched, BYRE_EPROTO);
    version = byre__unpack_u32(&say);
    if (!say.failed && version != BYRE__TALK_VERSION)
        return byre__client_fail(
            sched, BYRE_EPROTO,
            "the daemon of this node speaks version %u, this program version %d: "
            "use the `byre' that started the pool, or start it again with this one",
            version, BYRE__TALK_VERSION);
    byre__unpack_text_into(&say, sched->node, sizeof sched->node);
    byre__unpack_text_into(&say, sched->pool, sizeof sched->pool);
    sched->nodes = byre__unpack_u32(&say);
    sched->nodes_up = byre__unpack_u32(&say);
    return byre__unpack_done(&say) ? BYRE_OK : byre__client_broken(sched, BYRE_EPROTO);
}

/* "pool" is not said in messages: it is what one gets without asking. */
static const char *said_pool(const char *pool)
{
    return strcmp(pool, "pool") == 0 ? NULL : pool;
}

static int no_pool(const char *pool, char why_out[static BYRE__CLIENT_WHY])
{
    snprintf(why_out, BYRE__CLIENT_WHY,
             "no pool%s%s is up on this node. Start one with `byre up%s%s'.", pool ? " " : "",
             pool ? pool : "", pool ? " --name " : "", pool ? pool : "");
    return BYRE_ENOTFOUND;
}

/* The socket of a pool on this node, and why there is none. */
static int dial(const char *pool, const char *dir, char why_out[static BYRE__CLIENT_WHY])
{
    int fd = byre__unix_connect(dir, "byred.sock");

    if (fd >= 0) return fd;
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return no_pool(pool, why_out);
    case ECONNREFUSED:
        snprintf(why_out, BYRE__CLIENT_WHY,
                 "the daemon of this node has ended without being told to (see %s/byred.log). "
                 "`byre up%s%s' brings it back; jobs have gone on.",
                 dir, pool ? " --name " : "", pool ? pool : "");
        return BYRE_ENOTFOUND;
    case EACCES:
    case EPERM:
        snprintf(why_out, BYRE__CLIENT_WHY, "the pool in %s belongs to another user", dir);
        return BYRE_ERIGHT;
    default:
        snprintf(why_out, BYRE__CLIENT_WHY, "cannot connect to %s/byred.sock: %s", dir,
                 strerror(errno));
        return errno == ENOMEM ? BYRE_ENOMEM : BYRE_ESYSTEM;
    }
}

static int find(const char *pool, char dir_out[static BYRE__STATE_PATH],
                char why_out[static BYRE__CLIENT_WHY])
{
    int error;

    if (pool == NULL) {
        snprintf(why_out, BYRE__CLIENT_WHY,
                 "a pool's name has 1 to 32 of a-z A-Z 0-9 _ - and . (not at its "
                 "beginning): see --pool and BYRE_POOL");
        return BYRE_EINVAL;
    }
    error = byre__state_dir(pool, false, dir_out);
    if (error == BYRE_ESYSTEM && errno == ENOENT) return no_pool(said_pool(pool), why_out);
    if (error == BYRE_ESYSTEM && errno == EACCES) error = BYRE_ERIGHT;
    if (error == BYRE_ERIGHT)
        snprintf(why_out, BYRE__CLIENT_WHY, "the pool in %s belongs to another user", dir_out);
    else if (error != BYRE_OK)
        snprintf(why_out, BYRE__CLIENT_WHY, "the state directory cannot be used: %s",
                 error == BYRE_ESYSTEM ? strerror(errno) : byre_strerror(error));
    return error;
}

int byre__client_open(const char *pool, int timeout_ms, byre_sched_t **sched_out,
                      char why_out[static BYRE__CLIENT_WHY])
{
    char dir[BYRE__STATE_PATH] = "";
    byre_sched_t *sched;
    int error, fd;

    pool = byre__state_pool(pool);
    error = find(pool, dir, why_out);
    if (error != BYRE_OK) return error;
    fd = dial(said_pool(pool), dir, why_out);
    if (fd < 0) return fd;
    sched = calloc(1, sizeof *sched);
    if (sched == NULL) {
        snprintf(why_out, BYRE__CLIENT_WHY, "out of memory");
        close(fd);
        return BYRE_ENOMEM;
    }
    byre__stream_init(&sched->stream, fd);
    sched->dir = strdup(dir);
    error = hello(sched, timeout_ms);
    if (error != BYRE_OK) {
        snprintf(why_out, BYRE__CLIENT_WHY, "%s", sched->explain);
        byre_sched_close(sched);
        return error;
    }
    *sched_out = sched;
    return BYRE_OK;
}

int byre_sched_open(const char *pool, byre_sched_t **sched_out)
{
    char why[BYRE__CLIENT_WHY];

    /* A daemon that ended in the middle of its greeting is one that is not there. */
    int error = byre__client_open(pool, -1, sched_out, why);
    return error == BYRE_EPEER ? BYRE_ENOTFOUND : error;
}

void byre_sched_close(byre_sched_t *sched)
{
    if (sched == NULL) return;
    byre__stream_fini(&sched->stream);
    free(sched->dir);
    free(sched);
}

const char *byre_sched_explain(const byre_sched_t *sched)
{
    return sched->explain;
}

int byre__client_daemon(const byre_sched_t *sched)
{
    struct ucred who;
    socklen_t bytes = sizeof who;

    if (getsockopt(sched->stream.fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) return 0;
    return who.pid;
}

/* ---- context --------------------------------------------------------------------------------------- */

static bool same_key(const byre__context_key_t *a, const byre__context_key_t *b)
{
    return a->a == b->a && a->b == b->b;
}

static int send_context(byre_sched_t *sched, const byre__pack_t *packed)
{
    byre__pack_t head = { 0 };
    int error;

    byre__pack_u32(&head, sched->context + 1);
    if (head.failed) {
        error = BYRE_ENOMEM;
    } else {
        error = byre__stream_put_with(&sched->stream, BYRE__ASK_CONTEXT, ++sched->tag, &head,
                                      packed->data, packed->bytes);
    }
    byre__pack_fini(&head);
    if (error == BYRE_ERANGE)
        return byre__client_fail(sched, error,
                                 "this process's environment is too large to be sent");
    return error == BYRE_OK ? BYRE_OK : byre__client_broken(sched, error);
}

int byre__client_context(byre_sched_t *sched, uint32_t *number_out)
{
    byre__context_t context;
    byre__context_key_t key;
    byre__pack_t packed = { 0 };
    int error = byre__context_capture(&context);

    if (error == BYRE_ESYSTEM)
        return byre__client_fail(sched, error, "this process has no working directory: %s",
                                 strerror(errno));
    if (error != BYRE_OK) return byre__client_broken(sched, error);
    byre__pack_context(&packed, &context);
    byre__context_fini(&context);
    if (packed.failed) {
        byre__pack_fini(&packed);
        return byre__client_broken(sched, BYRE_ENOMEM);
    }
    key = byre__context_key(packed.data, packed.bytes);
    if (sched->context == 0 || !same_key(&key, &sched->context_key)) {
        error = send_context(sched, &packed);
        if (error == BYRE_OK) {
            sched->context++;
            sched->context_key = key;
        }
    }
    byre__pack_fini(&packed);
    *number_out = sched->context;
    return error;
}
