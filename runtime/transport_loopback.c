/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cluster of one: rank 0 sends to itself, without MPI. Matching as MPI does it, by channel and
 * tag in order. Every message is copied when it is sent, unless a receive waits for it.
 *
 * Invariant: a channel and tag never has both a posted receive and an unmatched message.
 * One mutex guards everything.
 */
#include "transport.h"

#include <byre_errors.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum kind { SEND, RECV };

struct operation { /* behind byre__treq_t */
    struct operation *next;
    enum kind kind;
    bool complete;
    byre__channel_t channel;
    int tag;
    void *buf; /* receives */
    size_t room;
    byre__tstatus_t status;
};

struct message { /* behind byre__tmsg_t, and queued until matched */
    struct message *next;
    byre__channel_t channel;
    int tag;
    size_t bytes;
    struct operation *sync; /* a synchronous send that waits for the match */
    char data[];
};

static struct {
    pthread_mutex_t lock;
    struct message *messages, **messages_end; /* sent, not matched; in order */
    struct operation *posted, **posted_end;   /* receives, not matched; in order */
} loop = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int start(int *rank_out, int *size_out)
{
    loop.messages = NULL;
    loop.messages_end = &loop.messages;
    loop.posted = NULL;
    loop.posted_end = &loop.posted;
    *rank_out = 0;
    *size_out = 1;
    return BYRE_OK;
}

static void stop(bool peers_failed)
{
    (void)peers_failed;
    while (loop.messages != NULL) {
        struct message *message = loop.messages;
        loop.messages = message->next;
        free(message);
    }
    while (loop.posted != NULL) {
        struct operation *operation = loop.posted;
        loop.posted = operation->next;
        free(operation);
    }
}

static int allgather(const void *mine, void *all, size_t bytes)
{
    memcpy(all, mine, bytes);
    return BYRE_OK;
}

static int node_leader(int *leader_out)
{
    *leader_out = 0;
    return BYRE_OK;
}

static void deliver(struct operation *recv, int tag, const void *data, size_t bytes)
{
    size_t fits = bytes < recv->room ? bytes : recv->room;
    if (fits > 0) memcpy(recv->buf, data, fits);
    recv->status = (byre__tstatus_t){ .source = 0, .tag = tag, .bytes = fits };
    if (bytes > recv->room) recv->status.error = BYRE_ETRUNC;
    recv->complete = true;
}

static bool suits(int wanted, int tag)
{
    return wanted == tag || wanted == BYRE__ANY_TAG;
}

static struct operation *unpost(byre__channel_t channel, int tag)
{
    for (struct operation **at = &loop.posted; *at != NULL; at = &(*at)->next) {
        struct operation *operation = *at;
        if (operation->channel != channel || !suits(operation->tag, tag)) continue;
        *at = operation->next;
        if (loop.posted_end == &operation->next) loop.posted_end = at;
        return operation;
    }
    return NULL;
}

static struct message **find(byre__channel_t channel, int tag)
{
    for (struct message **at = &loop.messages; *at != NULL; at = &(*at)->next)
        if ((*at)->channel == channel && suits(tag, (*at)->tag)) return at;
    return NULL;
}

static struct message *unqueue(struct message **at)
{
    struct message *message = *at;
    *at = message->next;
    if (loop.messages_end == &message->next) loop.messages_end = at;
    if (message->sync != NULL) message->sync->complete = true;
    return message;
}

static int queue(byre__channel_t channel, int tag, const void *buf, size_t bytes,
                 struct operation *send, bool sync)
{
    struct message *message = malloc(sizeof *message + bytes);
    if (message == NULL) return BYRE_ENOMEM;
    *message = (struct message){ .channel = channel, .tag = tag, .bytes = bytes };
    if (bytes > 0) memcpy(message->data, buf, bytes);
    if (sync) message->sync = send;
    send->complete = !sync;
    *loop.messages_end = message;
    loop.messages_end = &message->next;
    return BYRE_OK;
}

static int isend(byre__channel_t channel, int to, int tag, const void *buf, size_t bytes, bool sync,
                 byre__treq_t *req_out)
{
    (void)to;
    struct operation *send = calloc(1, sizeof *send);
    if (send == NULL) return BYRE_ENOMEM;
    int error = BYRE_OK;
    pthread_mutex_lock(&loop.lock);
    struct operation *recv = unpost(channel, tag);
    if (recv != NULL) {
        deliver(recv, tag, buf, bytes);
        send->complete = true;
    } else {
        error = queue(channel, tag, buf, bytes, send, sync);
    }
    pthread_mutex_unlock(&loop.lock);
    if (error == BYRE_OK)
        req_out->handle = send;
    else
        free(send);
    return error;
}

static int irecv(byre__channel_t channel, int from, int tag, void *buf, size_t bytes,
                 byre__treq_t *req_out)
{
    (void)from;
    struct operation *recv = calloc(1, sizeof *recv);
    if (recv == NULL) return BYRE_ENOMEM;
    *recv = (struct operation){
        .kind = RECV, .channel = channel, .tag = tag, .buf = buf, .room = bytes
    };
    pthread_mutex_lock(&loop.lock);
    struct message **at = find(channel, tag);
    struct message *message = at == NULL ? NULL : unqueue(at);
    if (message != NULL) {
        deliver(recv, message->tag, message->data, message->bytes);
    } else {
        *loop.posted_end = recv;
        loop.posted_end = &recv->next;
    }
    pthread_mutex_unlock(&loop.lock);
    free(message);
    req_out->handle = recv;
    return BYRE_OK;
}

static bool test(byre__treq_t *req, byre__tstatus_t *status_out)
{
    if (req->handle == NULL) return true;
    struct operation *operation = req->handle;
    pthread_mutex_lock(&loop.lock);
    bool complete = operation->complete;
    pthread_mutex_unlock(&loop.lock);
    if (!complete) return false;
    if (status_out != NULL) *status_out = operation->status;
    free(operation);
    req->handle = NULL;
    return true;
}

static int test_any(byre__treq_t *const *reqs, int count, byre__tstatus_t *status_out)
{
    for (int i = 0; i < count; i++)
        if (test(reqs[i], status_out)) return i;
    return -1;
}

static void cancel(byre__treq_t *req)
{
    struct operation *wanted = req->handle;
    pthread_mutex_lock(&loop.lock);
    for (struct operation **at = &loop.posted; *at != NULL; at = &(*at)->next) {
        if (*at != wanted) continue;
        *at = wanted->next;
        if (loop.posted_end == &wanted->next) loop.posted_end = at;
        wanted->status.error = BYRE_ECANCELED;
        wanted->complete = true;
        break;
    }
    pthread_mutex_unlock(&loop.lock);
}

static bool probe(byre__channel_t channel, int from, int tag, byre__tstatus_t *status_out)
{
    (void)from;
    pthread_mutex_lock(&loop.lock);
    struct message **at = find(channel, tag);
    if (at != NULL) *status_out = (byre__tstatus_t){ .tag = tag, .bytes = (*at)->bytes };
    pthread_mutex_unlock(&loop.lock);
    return at != NULL;
}

static bool take(byre__channel_t channel, int from, int tag, byre__tmsg_t *msg_out,
                 byre__tstatus_t *status_out)
{
    (void)from;
    pthread_mutex_lock(&loop.lock);
    struct message **at = find(channel, tag);
    struct message *message = at == NULL ? NULL : unqueue(at);
    pthread_mutex_unlock(&loop.lock);
    if (message == NULL) return false;
    *status_out = (byre__tstatus_t){ .tag = tag, .bytes = message->bytes };
    msg_out->handle = message;
    return true;
}

static int receive(byre__tmsg_t *msg, void *buf, size_t bytes, byre__treq_t *req_out)
{
    struct message *message = msg->handle;
    struct operation *recv = calloc(1, sizeof *recv);
    if (recv == NULL) return BYRE_ENOMEM;
    *recv = (struct operation){
        .kind = RECV, .channel = message->channel, .tag = message->tag, .buf = buf, .room = bytes
    };
    deliver(recv, message->tag, message->data, message->bytes);
    free(message);
    req_out->handle = recv;
    return BYRE_OK;
}

const byre__transport_t byre__transport_loopback = {
    .name = "loopback",
    .start = start,
    .stop = stop,
    .max_tag = 0x7fffffff,
    .allgather = allgather,
    .node_leader = node_leader,
    .isend = isend,
    .irecv = irecv,
    .test = test,
    .test_any = test_any,
    .cancel = cancel,
    .probe = probe,
    .take = take,
    .receive = receive,
};
