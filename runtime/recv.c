/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receiving. Three ways, and why:
 *
 *   staged   small buffers: a posted receive that is tested, the cheapest that MPI has; it lands in a
 *            stage (stage.h) and is copied
 *   probed   large buffers, blocking: a matched probe in a loop, then straight into the buffer
 *   queued   large nonblocking receives, and any receive on a port with something special about it:
 *            the engine matches them (port_queue.c)
 *
 * None of them ever lets MPI cut a message. Into shared memory (paged.h) the thread that collects the
 * receive copies, from the stage or from memory of the receive's own.
 */
#include "counters.h"
#include "detector.h"
#include "log.h"
#include "message.h"
#include "paged.h"
#include "port.h"
#include "progress.h"
#include "stage.h"
#include <stdlib.h>
#include <string.h>

static int check(int port, int from, const void *buf, size_t bytes)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (byre__check_port(port) != BYRE_OK) return BYRE_EPORT;
    if (__builtin_expect(from < BYRE_ANY || from >= byre__nodes.size, 0)) return BYRE_ERANK;
    if (__builtin_expect(buf == NULL && bytes > 0, 0)) return BYRE_EINVAL;
    return BYRE_OK;
}

static bool is_special(void)
{
    return __builtin_expect(atomic_load_explicit(&byre__port_special, memory_order_acquire) != 0,
                            0);
}

/* A dead source, or with BYRE_ANY an unacknowledged failure: which rank? -1 none. */
static int hopeless(int from)
{
    if (from == BYRE_ANY) return byre__failure_news() ? byre__failure_latest() : -1;
    return byre__peer_absent(from) ? from : -1;
}

static bool request_done(void *arg)
{
    return byre__request_done(arg);
}

/* ---- queued ------------------------------------------------------------------------------------ */

static void fill(byre_request_t request, int port, int from, void *buf, size_t bytes, bool paged)
{
    request->is_send = false;
    request->paged = paged;
    request->peer = from;
    request->buf = buf;
    request->room = bytes;
    request->info = (byre_info_t){ .source = from, .port = port };
}

static int recv_queued(int port, int from, void *buf, size_t bytes, byre_info_t *info_out)
{
    struct byre_request request = { .kind = BYRE__REQUEST_ENGINE };
    fill(&request, port, from, buf, bytes, false);
    int error = byre__port_enqueue(&request);
    if (error != BYRE_OK) return error;
    (void)byre__wait_until(request_done, &request, 0);
    if (info_out != NULL) *info_out = request.info;
    return request.result;
}

/* ---- staged ------------------------------------------------------------------------------------ */

/* NULL without an error: there is no address space, it must be queued. */
static byre_request_t begin_staged(int port, int from, void *buf, size_t bytes, bool paged,
                                   int *error_out)
{
    byre_request_t request = byre__stage_get();
    *error_out = BYRE_OK;
    if (__builtin_expect(request == NULL, 0)) return NULL;
    atomic_store_explicit(&request->complete, 0, memory_order_relaxed);
    request->kind = BYRE__REQUEST_STAGED;
    fill(request, port, from, buf, bytes, paged);
    *error_out = byre__transport->irecv(BYRE__CHANNEL_MSG, from, port, byre__stage_data(request),
                                        BYRE__STAGE_BYTES, &request->treq);
    if (__builtin_expect(*error_out == BYRE_OK, 1)) return request;
    byre__stage_put(request);
    return NULL;
}

/* ---- probed ------------------------------------------------------------------------------------ */

struct probing {
    int port, from, dead;
    bool found, received, broken;
    byre__tmsg_t message;
    byre__treq_t treq;
    byre__tstatus_t status;
};

static bool found_or_hopeless(void *arg)
{
    struct probing *probing = arg;
    if (!probing->found) {
        probing->found = byre__transport->take(BYRE__CHANNEL_MSG, probing->from, probing->port,
                                               &probing->message, &probing->status);
        if (!probing->found) probing->dead = hopeless(probing->from);
    }
    return probing->found || probing->dead >= 0;
}

static bool received_or_dead(void *arg)
{
    struct probing *probing = arg;
    byre__tstatus_t status = { 0 };
    if (!probing->received && byre__transport->test(&probing->treq, &status)) {
        probing->received = true;
        probing->broken = status.error != BYRE_OK;
    }
    return probing->received || byre__peer_absent(probing->status.source);
}

static int finish_probed(struct probing *probing, void *buf, size_t bytes)
{
    int source = probing->status.source;
    size_t length = probing->status.bytes;
    if (length > bytes) {
        byre__port_keep_message(probing->port, source, probing->message, length);
        return BYRE_ETRUNC;
    }
    byre__cow_resolve(buf, length);
    int error = byre__transport->receive(&probing->message, buf, length, &probing->treq);
    if (error != BYRE_OK) return error;
    if (!received_or_dead(probing)) (void)byre__wait_moving(received_or_dead, probing);
    if (!probing->received || probing->broken) return BYRE_EPEER;
    byre__count(msg_received);
    if (length >= BYRE__LARGE) byre__wake_for_message(source); /* its send is complete */
    return BYRE_OK;
}

static int recv_probed(int port, int from, void *buf, size_t bytes, byre_info_t *info_out)
{
    struct probing probing = { .port = port, .from = from, .dead = -1 };
    if (!byre__wait_looking(found_or_hopeless, &probing))
        (void)byre__wait_until(found_or_hopeless, &probing, 0);
    byre_info_t info = { .source = probing.dead, .port = port };
    int result = BYRE_EPEER;
    if (probing.found) {
        info.source = probing.status.source;
        info.bytes = probing.status.bytes;
        result = finish_probed(&probing, buf, bytes);
    }
    if (info_out != NULL) *info_out = info;
    return result;
}

/* ---- the public face ----------------------------------------------------------------------------- */

static __attribute__((noinline)) int recv_paged(int port, int from, void *buf, size_t bytes,
                                                byre_info_t *info_out)
{
    byre_info_t info = { .bytes = 0 };
    void *room = malloc(bytes > 0 ? bytes : 1);
    if (room == NULL) return BYRE_ENOMEM;
    int result = byre_recv(port, from, room, bytes, &info);
    if (result == BYRE_OK && info.bytes > 0) memcpy(buf, room, info.bytes);
    if (!byre__left_to_mpi(result, info.bytes)) free(room);
    bool written = result == BYRE_OK || result == BYRE_ETRUNC || result == BYRE_EPEER;
    if (info_out != NULL && written) *info_out = info;
    return result;
}

int byre_recv(int port, int from, void *buf, size_t bytes, byre_info_t *info_out)
{
    int error = check(port, from, buf, bytes);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (byre__is_paged(buf, bytes)) return recv_paged(port, from, buf, bytes, info_out);
    bool special = is_special();
    if (bytes > BYRE__STAGED && !special) return recv_probed(port, from, buf, bytes, info_out);
    byre__cow_resolve(buf, bytes);
    byre_request_t request = special ? NULL : begin_staged(port, from, buf, bytes, false, &error);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (__builtin_expect(request == NULL, 0)) return recv_queued(port, from, buf, bytes, info_out);
    byre__request_wait(request);
    int result = request->result;
    if (info_out != NULL) *info_out = request->info;
    byre__request_put(request);
    return result;
}

/* The engine does not touch shared memory: it receives into memory of the request. */
static int set_aside(byre_request_t request)
{
    request->paged_buf = request->buf;
    request->buf = malloc(request->room > 0 ? request->room : 1);
    return request->buf != NULL ? BYRE_OK : BYRE_ENOMEM;
}

static int begin_queued(int port, int from, void *buf, size_t bytes, bool paged,
                        byre_request_t *request_out)
{
    byre_request_t request = byre__request_get();
    if (__builtin_expect(request == NULL, 0)) return BYRE_ENOMEM;
    fill(request, port, from, buf, bytes, paged);
    int error = paged ? set_aside(request) : BYRE_OK;
    if (error == BYRE_OK) error = byre__port_enqueue(request);
    if (__builtin_expect(error != BYRE_OK, 0)) {
        if (paged) free(request->buf);
        byre__request_put(request);
        return error;
    }
    *request_out = request;
    return BYRE_OK;
}

int byre_irecv(int port, int from, void *buf, size_t bytes, byre_request_t *req_out)
{
    int error = check(port, from, buf, bytes);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (__builtin_expect(req_out == NULL, 0)) return BYRE_EINVAL;
    byre_request_t request = NULL;
    byre__engine_attention();
    bool paged = byre__is_paged(buf, bytes);
    if (__builtin_expect(paged && byre__in_handler(), 0)) return BYRE_ECONTEXT;
    byre__cow_resolve(buf, bytes);
    if (bytes <= BYRE__STAGED && !is_special())
        request = begin_staged(port, from, buf, bytes, paged, &error);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (request == NULL) error = begin_queued(port, from, buf, bytes, paged, &request);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    *req_out = request;
    return BYRE_OK;
}

/* One turn of the engine, so that a program that only polls makes progress. */
static void help_engine(void)
{
    byre__engine_attention();
    if (byre__in_handler() || !byre__drive_try()) return;
    (void)byre__engine_poll();
    byre__drive_end();
}

int byre_poll(int port, int from, byre_info_t *info_out)
{
    byre_info_t info; /* what is written under a lock is not the caller's (paged.h, P2) */
    bool queued = false;
    int error = check(port, from, NULL, 0);
    if (error != BYRE_OK) return error;
    if (is_special()) {
        error = byre__port_state(port, from, &info, &queued);
        if (error == BYRE_OK && info_out != NULL) *info_out = info;
        if (error != BYRE_EAGAIN) return error;
    }
    byre__tstatus_t status;
    if (!queued && byre__transport->probe(BYRE__CHANNEL_MSG, from, port, &status)) {
        info = (byre_info_t){ .source = status.source, .port = port, .bytes = status.bytes };
        if (info_out != NULL) *info_out = info;
        return BYRE_OK;
    }
    int dead = hopeless(from);
    if (dead < 0) {
        help_engine();
        return BYRE_EAGAIN;
    }
    if (info_out != NULL) *info_out = (byre_info_t){ .source = dead, .port = port };
    return BYRE_EPEER;
}

/* On a port with something special the length is known from a poll; another thread may take that
 * message first, so that the receive finds a longer one: then we start over. */
static int get_special(int port, int from, void **buf_out, byre_info_t *info)
{
    for (;;) {
        int error = byre_poll(port, from, info);
        if (error != BYRE_OK) return error;
        void *buf = malloc(info->bytes > 0 ? info->bytes : 1);
        if (buf == NULL) return BYRE_ENOMEM;
        error = byre_recv(port, from, buf, info->bytes, info);
        if (error == BYRE_OK) {
            *buf_out = buf;
            return BYRE_OK;
        }
        free(buf);
        if (error != BYRE_ETRUNC) return error;
    }
}

/* The matched probe tells the length, and the message is ours. */
static int get_probed(struct probing *probing, void **buf_out)
{
    size_t bytes = probing->status.bytes;
    void *buf = malloc(bytes > 0 ? bytes : 1);
    if (buf == NULL) {
        byre__port_keep_message(probing->port, probing->status.source, probing->message, bytes);
        return BYRE_ENOMEM;
    }
    int error = finish_probed(probing, buf, bytes);
    if (error == BYRE_OK)
        *buf_out = buf;
    else
        free(buf);
    return error;
}

int byre_get_message(int port, int from, void **buf_out, byre_info_t *info_out)
{
    byre_info_t info = { .port = port };
    struct probing probing = { .port = port, .from = from, .dead = -1 };
    int error = check(port, from, NULL, 0);
    if (error != BYRE_OK) return error;
    if (buf_out == NULL) return BYRE_EINVAL;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (is_special()) {
        error = get_special(port, from, buf_out, &info);
    } else if (found_or_hopeless(&probing)) {
        info.source = probing.found ? probing.status.source : probing.dead;
        info.bytes = probing.found ? probing.status.bytes : 0;
        error = probing.found ? get_probed(&probing, buf_out) : BYRE_EPEER;
    } else {
        help_engine();
        return BYRE_EAGAIN;
    }
    if (info_out != NULL && (error == BYRE_OK || error == BYRE_EPEER)) *info_out = info;
    return error;
}
