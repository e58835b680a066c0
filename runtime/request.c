/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests: recycled through a list of each thread, so that a nonblocking call costs no malloc;
 * and the calls that wait for them.
 */
#include "message.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "paged.h"
#include "progress.h"
#include "recycle.h"
#include "stage.h"
#include <stdlib.h>
#include <string.h>

enum { CACHE = 256, KEEP = 65536 };

static void *create(void)
{
    return aligned_alloc(64, (sizeof(struct byre_request) + 63) / 64 * 64);
}

struct byre_request byre__request_sent = {
    .kind = BYRE__REQUEST_SENT, .complete = 1, .result = BYRE_OK, .is_send = true
};

static byre__recycler_t requests = BYRE__RECYCLER(CACHE, KEEP, create, free);
static _Thread_local byre__recycled_t own;

byre_request_t byre__request_get(void)
{
    byre_request_t request = byre__recycle_get(&requests, &own);
    if (__builtin_expect(request == NULL, 0)) return NULL;
    atomic_store_explicit(&request->complete, 0, memory_order_relaxed);
    request->kind = BYRE__REQUEST_ENGINE;
    return request;
}

void byre__request_put(byre_request_t request)
{
    if (__builtin_expect(request->kind == BYRE__REQUEST_STAGED, 1))
        byre__stage_put(request);
    else
        byre__recycle_put(&requests, &own, request);
}

void byre__message_fini(void)
{
    byre__recycle_fini(&requests, &own);
    byre__stage_fini();
}

int byre__message_poll(void)
{
    return byre__send_poll() + byre__port_poll();
}

/* ---- looking -------------------------------------------------------------------------------- */

static void finish(byre_request_t request, int result)
{
    request->result = result;
    atomic_store_explicit(&request->complete, 1, memory_order_release);
}

static int staged_finish(byre_request_t request, const byre__tstatus_t *status)
{
    int result = status->error;
    if (__builtin_expect(result != BYRE_OK, 0)) {
        if (result == BYRE_ETRUNC)
            byre__error("a message of more than 64 GiB from rank %d came to a buffer of %zu bytes: "
                        "what is beyond 64 GiB is lost",
                        status->source, request->room);
        return result;
    }
    request->info.source = status->source;
    request->info.bytes = status->bytes;
    if (__builtin_expect(status->bytes > request->room, 0)) {
        atomic_store(&request->owners, 2); /* the one who collects it, and the port */
        byre__port_keep_stage(request->info.port, status->source, request, status->bytes);
        return BYRE_ETRUNC;
    }
    if (status->bytes > 0 && __builtin_expect(!request->paged, 1))
        memcpy(request->buf, byre__stage_data(request), status->bytes);
    byre__count(msg_received);
    if (__builtin_expect(status->bytes >= BYRE__LARGE, 0))
        byre__wake_for_message(status->source); /* its send is complete */
    return BYRE_OK;
}

static bool look_at_send(byre_request_t request)
{
    if (byre__transport->test(&request->treq, NULL)) {
        finish(request, BYRE_OK);
        byre__wake_for_message(request->peer); /* part of it may have left only now */
    } else if (byre__peer_absent(request->peer)) {
        finish(request, BYRE_EPEER);
    } else {
        return false;
    }
    return true;
}

static bool look_at_staged(byre_request_t request)
{
    byre__tstatus_t status;
    if (__builtin_expect(byre__transport->test(&request->treq, &status), 1)) {
        finish(request, staged_finish(request, &status));
        return true;
    }
    bool dead = request->peer == BYRE_ANY ? byre__failure_news() : byre__peer_absent(request->peer);
    if (!dead) return false;
    byre__transport->cancel(&request->treq);
    if (!byre__transport->test(&request->treq, &status)) return false;
    int result = staged_finish(request, &status);
    if (result == BYRE_ECANCELED) {
        result = BYRE_EPEER;
        request->info.source = request->peer == BYRE_ANY ? byre__failure_latest() : request->peer;
    }
    finish(request, result);
    return true;
}

bool byre__request_done(byre_request_t request)
{
    if (atomic_load_explicit(&request->complete, memory_order_acquire) != 0) return true;
    switch ((enum byre__request_kind)request->kind) {
    case BYRE__REQUEST_SEND:
        return look_at_send(request);
    case BYRE__REQUEST_STAGED:
        return look_at_staged(request);
    case BYRE__REQUEST_ENGINE:
    case BYRE__REQUEST_SENT:
        break;
    }
    return false;
}

static bool request_done(void *arg)
{
    return byre__request_done(arg);
}

/* Does it need this rank to move it when nobody says so? */
static bool is_unannounced(const struct byre_request *request)
{
    return request->kind == BYRE__REQUEST_SEND ||
           (request->kind == BYRE__REQUEST_STAGED && request->room >= BYRE__LARGE);
}

void byre__request_wait(byre_request_t request)
{
    if (byre__request_done(request)) return;
    if (request->kind != BYRE__REQUEST_ENGINE && byre__wait_looking(request_done, request)) return;
    bool unannounced = is_unannounced(request);
    if (unannounced) atomic_fetch_add(&byre__engine_unannounced, 1);
    (void)byre__wait_until(request_done, request, 0);
    if (unannounced) atomic_fetch_sub(&byre__engine_unannounced, 1);
}

/* Must it be collected outside handlers (paged.h, P2)? */
static bool wants_thread(const struct byre_request *request)
{
    return __builtin_expect(!request->is_send && request->paged, 0);
}

/* What came for shared memory goes there. */
static __attribute__((noinline)) void copy_paged(byre_request_t request)
{
    size_t bytes = request->result == BYRE_OK ? request->info.bytes : 0;
    bool staged = request->kind == BYRE__REQUEST_STAGED;
    void *to = staged ? request->buf : request->paged_buf;
    const void *from = staged ? byre__stage_data(request) : request->buf;
    if (bytes > 0) memcpy(to, from, bytes);
    if (!staged && !byre__left_to_mpi(request->result, request->info.bytes)) free(request->buf);
}

/* It is complete: hand over what it came to, and recycle it. */
static int collect(byre_request_t *req, byre_info_t *info_out)
{
    byre_request_t request = *req;
    if (request == &byre__request_sent) {
        *req = BYRE_REQUEST_NULL;
        return BYRE_OK;
    }
    int result = request->result;
    if (wants_thread(request)) {
        if (byre__in_handler()) return BYRE_ECONTEXT;
        copy_paged(request);
    }
    if (info_out != NULL && !request->is_send) *info_out = request->info;
    byre__request_put(request);
    *req = BYRE_REQUEST_NULL;
    return result;
}

static int check(void)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    return byre__in_handler() ? BYRE_ECONTEXT : BYRE_OK;
}

/* One turn of the engine for those who only test: a program may live by testing alone. */
static void help_engine(void)
{
    byre__engine_attention();
    if (!byre__drive_try()) return;
    (void)byre__engine_poll();
    byre__drive_end();
}

/* ---- the public face -------------------------------------------------------------------------- */

int byre_wait(byre_request_t *req, byre_info_t *info_out)
{
    int error = check();
    if (error != BYRE_OK) return error;
    if (req == NULL || *req == BYRE_REQUEST_NULL) return BYRE_OK;
    byre__request_wait(*req);
    return collect(req, info_out);
}

int byre_test(byre_request_t *req, byre_info_t *info_out)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (req == NULL || *req == BYRE_REQUEST_NULL) return BYRE_OK;
    if (!byre__request_done(*req)) {
        if (!byre__in_handler()) help_engine();
        if (!byre__request_done(*req)) return BYRE_EAGAIN;
    }
    return collect(req, info_out);
}

int byre_wait_all(size_t n, byre_request_t *reqs, int *errors_out, byre_info_t *infos_out)
{
    int first = check();
    if (first != BYRE_OK) return first;
    if (reqs == NULL && n > 0) return BYRE_EINVAL;
    for (size_t i = 0; i < n; i++) {
        int error = BYRE_OK;
        if (reqs[i] != BYRE_REQUEST_NULL) {
            byre__request_wait(reqs[i]);
            error = collect(&reqs[i], infos_out != NULL ? &infos_out[i] : NULL);
        }
        if (errors_out != NULL) errors_out[i] = error;
        if (first == BYRE_OK) first = error;
    }
    return first;
}

static bool one_wants_thread(size_t n, const byre_request_t *reqs)
{
    for (size_t i = 0; i < n; i++)
        if (reqs[i] != BYRE_REQUEST_NULL && wants_thread(reqs[i])) return true;
    return false;
}

int byre_test_all(size_t n, byre_request_t *reqs, int *errors_out, byre_info_t *infos_out)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (reqs == NULL && n > 0) return BYRE_EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (reqs[i] == BYRE_REQUEST_NULL || byre__request_done(reqs[i])) continue;
        if (!byre__in_handler()) help_engine();
        return BYRE_EAGAIN;
    }
    if (byre__in_handler() && one_wants_thread(n, reqs)) return BYRE_ECONTEXT;
    int first = BYRE_OK;
    for (size_t i = 0; i < n; i++) {
        int error = BYRE_OK;
        if (reqs[i] != BYRE_REQUEST_NULL)
            error = collect(&reqs[i], infos_out != NULL ? &infos_out[i] : NULL);
        if (errors_out != NULL) errors_out[i] = error;
        if (first == BYRE_OK) first = error;
    }
    return first;
}

struct any {
    size_t n, index;
    byre_request_t *reqs;
};

static bool any_done(void *arg)
{
    struct any *any = arg;
    for (size_t i = 0; i < any->n; i++) {
        if (any->reqs[i] == BYRE_REQUEST_NULL || !byre__request_done(any->reqs[i])) continue;
        any->index = i;
        return true;
    }
    return false;
}

static bool all_null(size_t n, const byre_request_t *reqs)
{
    for (size_t i = 0; i < n; i++)
        if (reqs[i] != BYRE_REQUEST_NULL) return false;
    return true;
}

static size_t wait_any(size_t n, byre_request_t *reqs)
{
    struct any any = { .n = n, .reqs = reqs };
    atomic_fetch_add(&byre__engine_unannounced, 1); /* there may be large sends among them */
    (void)byre__wait_until(any_done, &any, 0);
    atomic_fetch_sub(&byre__engine_unannounced, 1);
    return any.index;
}

int byre_wait_any(size_t n, byre_request_t *reqs, size_t *index_out, byre_info_t *info_out)
{
    int error = check();
    if (error != BYRE_OK) return error;
    if (reqs == NULL || all_null(n, reqs)) return BYRE_EINVAL;
    size_t index;
    if (byre__is_paged(reqs, n * sizeof *reqs)) { /* any_done() is for drivers too */
        byre_request_t *copy = byre__paged_copy(reqs, n * sizeof *reqs);
        if (copy == NULL) return BYRE_ENOMEM;
        index = wait_any(n, copy);
        free(copy);
    } else {
        index = wait_any(n, reqs);
    }
    if (index_out != NULL) *index_out = index;
    return collect(&reqs[index], info_out);
}

int byre_test_any(size_t n, byre_request_t *reqs, size_t *index_out, byre_info_t *info_out)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (reqs == NULL || all_null(n, reqs)) return BYRE_EINVAL;
    struct any any = { .n = n, .reqs = reqs };
    if (!any_done(&any)) {
        if (!byre__in_handler()) help_engine();
        if (!any_done(&any)) return BYRE_EAGAIN;
    }
    if (index_out != NULL) *index_out = any.index;
    return collect(&reqs[any.index], info_out);
}

int byre_cancel(byre_request_t *req)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (req == NULL || *req == BYRE_REQUEST_NULL || (*req)->is_send) return BYRE_EINVAL;
    byre_request_t request = *req;
    if (byre__request_done(request)) return BYRE_OK;
    if (request->kind == BYRE__REQUEST_STAGED)
        byre__transport->cancel(&request->treq);
    else
        (void)byre__port_cancel(request);
    return BYRE_OK;
}
