/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - connections of clients on this node, over DIR/byred.sock: of the daemon's user and of root, nobody else.
 *
 *   C1 Nothing is read from a client before the pool is in step (D2): HELLO is answered when it is.
 *   C2 What a client has not read is bounded: rows and logs wait at CLIENT_FILL, output of jobs by their windows,
 *      and at CLIENT_MAX it is dropped; at CLIENTS_MAX for all of them, the one that has most.
 *   C3 A client goes at the end of a round only, so that nobody below holds a pointer to one that is gone.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sched/daemon/ask.h"
#include "sched/daemon/client.h"
#include "sched/daemon/down.h"
#include "sched/daemon/members.h"
#include "sched/daemon/run.h"
#include "sched/daemon/stream.h"

static loop_watch_t door = { .fd = -1 };
static client_t *clients;
static uint64_t serials;

/* ---- to them ----------------------------------------------------------------------------------- */

void client_say_with(client_t *client, uint16_t type, uint32_t tag, const byre__pack_t *pack,
                     const void *data, size_t bytes)
{
    if (!client->dead &&
        byre__stream_put_with(&client->stream, type, tag, pack, data, bytes) != BYRE_OK) {
        byred_log("out of memory: a client is dropped");
        client->dead = true;
    }
}

void client_say(client_t *client, uint16_t type, uint32_t tag, const byre__pack_t *pack)
{
    client_say_with(client, type, tag, pack, NULL, 0);
}

void client_error(client_t *client, uint32_t tag, int error, const char *format, ...)
{
    byre__pack_t pack = { 0 };
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    byre__pack_u32(&pack, (uint32_t)error);
    byre__pack_text(&pack, text);
    client_say(client, BYRE__SAY_ERROR, tag, &pack);
    byre__pack_fini(&pack);
}

void client_tell_started(job_t *job)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (job->live != NULL && job->live->client != NULL) {
        byre__pack_job_id(&pack, &id);
        byre__pack_text(&pack, member_name(job->node));
        byre__pack_u64(&pack, (uint64_t)job->run->pid);
        byre__pack_text(&pack, job->run->cpus);
        client_say(job->live->client, BYRE__SAY_STARTED, job->live->tag, &pack);
        byre__pack_fini(&pack);
    }
}

void client_tell_ended(job_t *job, const byre__end_t *end)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = job_id(job);

    if (job->live != NULL && job->live->client != NULL) {
        byre__pack_job_id(&pack, &id);
        byre__pack_text(&pack, job->attempt > 0 ? member_name(job->node) : "");
        byre__pack_end(&pack, end);
        client_say(job->live->client, BYRE__SAY_ENDED, job->live->tag, &pack);
        byre__pack_fini(&pack);
    }
}

client_t *client_by_serial(uint64_t serial)
{
    client_t *client = clients;

    while (client != NULL && client->serial != serial) {
        client = client->next;
    }
    return client != NULL && !client->dead ? client : NULL;
}

/* ---- from them --------------------------------------------------------------------------------- */

static void hello(client_t *client, uint32_t tag, byre__unpack_t *payload)
{
    byre__pack_t pack = { 0 };
    uint32_t version = byre__unpack_u32(payload);

    if (version != BYRE__TALK_VERSION) {
        client_error(
            client, tag, BYRE_EPROTO,
            "this command speaks version %u, the daemon of node %s version %u: `byre down' and "
            "`byre up' start the new one",
            version, member_name(members_self()), BYRE__TALK_VERSION);
        return;
    }
    byre__pack_u32(&pack, BYRE__TALK_VERSION);
    byre__pack_text(&pack, member_name(members_self()));
    byre__pack_text(&pack, byred.pool);
    byre__pack_u32(&pack, (uint32_t)members_count());
    byre__pack_u32(&pack, (uint32_t)members_up());
    client_say(client, BYRE__SAY_WELCOME, tag, &pack);
    byre__pack_fini(&pack);
}

static void handle(client_t *client, const byre__frame_t *frame, byre__unpack_t *payload)
{
    switch (frame->type) {
    case BYRE__ASK_HELLO:
        hello(client, frame->tag, payload);
        break;
    case BYRE__ASK_CONTEXT:
        ask_context(client, payload);
        break;
    case BYRE__ASK_SUBMIT:
        ask_submit(client, frame->tag, payload);
        break;
    case BYRE__ASK_WAIT:
    case BYRE__ASK_KILL:
    case BYRE__ASK_LIST:
    case BYRE__ASK_NODES:
    case BYRE__ASK_LOG:
        ask_begin(client, frame->type, frame->tag, payload);
        break;
    case BYRE__ASK_DOWN:
        down_asked(client, frame->tag, payload);
        break;
    case BYRE__ASK_WINDOW:
        if (ask_has_log(client, frame->tag)) {
            ask_window(client, payload, frame->tag);
            break;
        } /* else a job's */
        stream_ask(client, frame->type, payload);
        break;
    case BYRE__ASK_STDIN:
    case BYRE__ASK_STDIN_END:
    case BYRE__ASK_SIGNAL:
    case BYRE__ASK_RESIZE:
        stream_ask(client, frame->type, payload);
        break;
    default:
        client_error(client, frame->tag, BYRE_EPROTO,
                     "the daemon of node %s does not know request %u", member_name(members_self()),
                     frame->type);
    }
}

static void on_client(void *arg, uint32_t events)
{
    client_t *client = arg;
    byre__frame_t frame;
    byre__unpack_t payload;
    int got;

    if (!byred.ready) { /* C1 */
        client->dead = client->dead || (events & (EPOLLHUP | EPOLLERR)) != 0;
        return;
    }
    if (client->dead || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
        return;
    }
    got = byre__stream_fill(&client->stream);
    if (got == BYRE_EPEER || got == BYRE_ENOMEM) {
        client->dead = true;
        return;
    }
    while (!client->dead && (got = byre__stream_next(&client->stream, &frame, &payload)) == 1) {
        handle(client, &frame, &payload);
    }
    if (got < 0) {
        byred_log("a client does not speak our protocol: it is dropped");
        client->dead = true;
    }
}

static void on_door(void *arg, uint32_t events)
{
    /* cppcheck-suppress nullPointer ; of whom: not asked here */
    int fd = accept4(door.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    client_t *client;

    (void)arg;
    (void)events;
    if (fd < 0) {
        return;
    }
    if (!byre__unix_peer_is_owner(fd)) {
        byred_log("a process of another user came to byred.sock: it is sent away");
        close(fd);
        return;
    }
    client = calloc(1, sizeof *client);
    if (client == NULL) {
        close(fd);
        return;
    }
    byre__stream_init(&client->stream, fd);
    client->serial = ++serials;
    client->watch = (loop_watch_t){ .fd = fd, .fn = on_client, .arg = client };
    client->next = clients;
    if (clients != NULL) {
        clients->prev = client;
    }
    clients = client;
    if (!loop_add(&client->watch, byred.ready ? EPOLLIN : 0)) {
        client->dead = true;
    }
}

bool clients_open(char error[static 256])
{
    int fd = byre__unix_listen(byred.dir, "byred.sock");

    door = (loop_watch_t){ .fd = fd, .fn = on_door };
    if (fd < 0 || !loop_add(&door, EPOLLIN)) {
        snprintf(error, 256, "cannot listen on %.200s/byred.sock: %m", byred.dir);
        return false;
    }
    return true;
}

void clients_ready(void)
{
    for (client_t *client = clients; client != NULL; client = client->next) {
        loop_change(&client->watch, EPOLLIN);
    }
}

/* ---- the end of a round ------------------------------------------------------------------------ */

static void bury(client_t *client)
{
    while (client->jobs != NULL) {
        finish_client_gone(client->jobs->job);
    }
    ask_client_gone(client);
    for (size_t i = 0; i < client->context_count; i++) {
        context_drop(client->contexts[i].context);
    }
    free(client->contexts);
    loop_remove(&client->watch);
    byre__stream_fini(&client->stream);
    *(client->prev != NULL ? &client->prev->next : &clients) = client->next;
    if (client->next != NULL) {
        client->next->prev = client->prev;
    }
    free(client);
}

static void drop_slow(client_t *client)
{
    byred_log("a client does not read what it asked for (%zu bytes wait): it is dropped",
              byre__stream_backlog(&client->stream));
    client->dead = true;
}

static void write_out(client_t *client)
{
    size_t backlog;

    if (byre__stream_flush(&client->stream) == BYRE_EPEER) {
        client->dead = true;
        return;
    }
    ask_pump(client);
    (void)byre__stream_flush(&client->stream);
    backlog = byre__stream_backlog(&client->stream);
    if (backlog > CLIENT_MAX) {
        byred_log("a client does not read what it asked for (%zu bytes wait): it is dropped",
                  backlog);
        client->dead = true;
    } else if (byred.ready) {
        loop_change(&client->watch, backlog != 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void clients_flush(void)
{
    size_t waiting = 0, backlog, highest = 0;
    client_t *most = NULL;

    for (client_t *client = clients, *next; client != NULL; client = next) {
        next = client->next;
        if (!client->dead) {
            write_out(client);
        }
        if (client->dead) {
            bury(client);
            continue;
        }
        backlog = byre__stream_backlog(&client->stream);
        waiting += backlog;
        if (backlog > highest) {
            highest = backlog;
            most = client;
        }
    }
    if (waiting > CLIENTS_MAX) {
        drop_slow(most); /* gone in the next round */
    }
}

void clients_close(void)
{
    loop_remove(&door);
    for (client_t *client = clients; client != NULL; client = client->next) {
        (void)byre__stream_drain(&client->stream);
        byre__stream_fini(&client->stream);
    }
    if (door.fd >= 0) {
        close(door.fd);
    }
}
