/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sending. A message is one MPI message on Byre's message channel with the port as its tag. A
 * blocking send is a nonblocking one that is tested: MPI_Send would never return from a dead peer.
 *
 * Sends that nobody need wait for (with a notice, copied, copy-on-write) belong to the engine: it
 * tests them, gives the notice and cleans up. Of a dead peer's messages MPI may still read the
 * buffer, so copies and snapshots of them are left behind.
 *
 * From shared memory (paged.h) a copy is sent.
 */
#include "message.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "paged.h"
#include "progress.h"
#include "service.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_COPIES =
        256, /* under way at once: what MPI cannot send yet makes all its progress dearer */
    TESTS_PER_TURN = 64
};

_Atomic int byre__message_jobs;

/* Sends that belong to the engine. `added` is pushed to by any thread, `list` is the driver's. */
static struct {
    struct byre_request *_Atomic added;
    struct byre_request *list;
    _Atomic int count;
} adopted;

static int check(byre_addr_t to, const void *buf, size_t bytes)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (__builtin_expect(to.rank < 0 || to.rank >= byre__nodes.size, 0)) return BYRE_ERANK;
    if (byre__check_port(to.port) != BYRE_OK) return BYRE_EPORT;
    if (__builtin_expect(buf == NULL && bytes > 0, 0)) return BYRE_EINVAL;
    if (byre__peer_absent(to.rank)) return BYRE_EPEER;
    return BYRE_OK;
}

/* ---- blocking ------------------------------------------------------------------------------- */

struct sending {
    byre__treq_t treq;
    int rank;
    bool sent;
};

static bool sent_or_gone(void *arg)
{
    struct sending *sending = arg;
    if (!sending->sent && byre__transport->test(&sending->treq, NULL)) {
        sending->sent = true;
        byre__wake_for_message(sending->rank); /* part of it may have left only now */
    }
    return sending->sent || byre__peer_absent(sending->rank);
}

static int wait_sent(struct sending *sending)
{
    if (byre__wait_looking(sent_or_gone, sending)) return sending->sent ? BYRE_OK : BYRE_EPEER;
    atomic_fetch_add(&byre__engine_unannounced, 1);
    (void)byre__wait_until(sent_or_gone, sending, 0);
    atomic_fetch_sub(&byre__engine_unannounced, 1);
    return sending->sent ? BYRE_OK : BYRE_EPEER;
}

/* MPI may notice that a peer is gone before the detector does: then the detector has the last word. */
static bool is_absent(void *arg)
{
    return byre__peer_absent(*(int *)arg);
}

static int explain(int error, int rank)
{
    if (error != BYRE_EMPI || byre__in_handler()) return error;
    uint64_t bound_ns = (uint64_t)byre_failure_bound_ms() * 1000000u;
    return byre__wait_until(is_absent, &rank, byre__now_ns() + bound_ns) ? BYRE_EPEER : error;
}

static int send_blocking(byre_addr_t to, const void *buf, size_t bytes, bool sync);

static __attribute__((noinline)) int send_paged(byre_addr_t to, const void *buf, size_t bytes,
                                                bool sync)
{
    void *copy = byre__paged_copy(buf, bytes);
    if (copy == NULL) return BYRE_ENOMEM;
    int error = send_blocking(to, copy, bytes, sync);
    if (error != BYRE_EPEER) free(copy);
    return error;
}

static int send_blocking(byre_addr_t to, const void *buf, size_t bytes, bool sync)
{
    int error = check(to, buf, bytes);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (byre__is_paged(buf, bytes)) return send_paged(to, buf, bytes, sync);
    struct sending sending = { .rank = to.rank };
    byre__cow_resolve(buf, bytes);
    error = byre__transport->isend(BYRE__CHANNEL_MSG, to.rank, to.port, buf, bytes, sync,
                                   &sending.treq);
    if (__builtin_expect(error != BYRE_OK, 0)) return explain(error, to.rank);
    byre__count(msg_sent);
    byre__wake_for_message(to.rank);
    if (sending.treq.handle == NULL) return BYRE_OK;
    return wait_sent(&sending);
}

int byre_send(byre_addr_t to, const void *buf, size_t bytes)
{
    return send_blocking(to, buf, bytes, false);
}

int byre_send_sync(byre_addr_t to, const void *buf, size_t bytes)
{
    return send_blocking(to, buf, bytes, true);
}

/* ---- nonblocking ---------------------------------------------------------------------------- */

/* Hand it to MPI. */
static inline __attribute__((always_inline)) int start(byre_addr_t to, const void *buf,
                                                       size_t bytes, byre__treq_t *treq_out)
{
    int error =
        byre__transport->isend(BYRE__CHANNEL_MSG, to.rank, to.port, buf, bytes, false, treq_out);
    if (__builtin_expect(error != BYRE_OK, 0)) return explain(error, to.rank);
    byre__count(msg_sent);
    byre__engine_attention();
    byre__wake_for_message(to.rank);
    return BYRE_OK;
}

static void fill(byre_request_t request, byre_addr_t to, const void *buf, size_t bytes,
                 byre__treq_t treq)
{
    request->peer = to.rank;
    request->info.port = to.port;
    request->buf = (void *)(uintptr_t)buf;
    request->bytes = bytes;
    request->is_send = true;
    request->treq = treq;
}

static bool notice_makes_sense(const byre_notice_t *notice, byre_request_t *req_out)
{
    if (notice == NULL || notice->kind == BYRE_NOTICE_NONE) return req_out != NULL;
    switch (notice->kind) {
    case BYRE_NOTICE_CALLBACK:
        return notice->callback != NULL;
    case BYRE_NOTICE_SIGNAL:
        return notice->signal > 0 && notice->signal <= SIGRTMAX;
    case BYRE_NOTICE_EVENTFD:
        return notice->eventfd >= 0;
    default:
        return false;
    }
}

static void complete(byre_request_t request, int result);
static void adopt(byre_request_t request);

/* The engine completes it, or it is complete already. */
static void hand_to_engine(byre_request_t request)
{
    request->kind = BYRE__REQUEST_ENGINE;
    if (byre__transport->test(&request->treq, NULL))
        complete(request, BYRE_OK);
    else
        adopt(request);
}

/* With a notice the engine sees to the send. In a handler there is no waiting, so the memory is there
 * first. */
static int isend_prepared(byre_addr_t to, const void *buf, size_t bytes,
                          const byre_notice_t *notice, byre_request_t *req_out)
{
    if (!notice_makes_sense(notice, req_out)) return BYRE_EINVAL;
    byre__treq_t treq;
    byre_request_t request = byre__request_get();
    if (request == NULL) return BYRE_ENOMEM;
    int error = start(to, buf, bytes, &treq);
    if (error != BYRE_OK) {
        byre__request_put(request);
        return error;
    }
    fill(request, to, buf, bytes, treq);
    request->handed_out = req_out != NULL;
    if (req_out != NULL) *req_out = request;
    if (notice == NULL || notice->kind == BYRE_NOTICE_NONE) {
        request->kind = BYRE__REQUEST_SEND;
        return BYRE_OK;
    }
    request->notice = *notice;
    request->cow = NULL;
    request->copy = NULL;
    hand_to_engine(request);
    return BYRE_OK;
}

/* It is under way and there is no memory for a request: it is sent before the caller goes on. */
static int isend_waiting(byre_addr_t to, byre__treq_t treq, byre_request_t *req_out)
{
    struct sending sending = { .treq = treq, .rank = to.rank };
    int error = wait_sent(&sending);
    if (error == BYRE_OK) *req_out = &byre__request_sent;
    return error;
}

/* The engine sends a copy and frees it. The copy is made outside handlers, or of ordinary memory. */
static int isend_copied(byre_addr_t to, const void *buf, size_t bytes, const byre_notice_t *notice,
                        byre_request_t *req_out)
{
    void *copy = byre__paged_copy(buf, bytes);
    byre_request_t request = byre__request_get();
    int error = BYRE_ENOMEM;
    if (request == NULL || copy == NULL) goto undo;
    byre__treq_t treq;
    error = start(to, copy, bytes, &treq);
    if (error != BYRE_OK) goto undo;
    fill(request, to, copy, bytes, treq);
    request->copy = copy;
    request->cow = NULL;
    request->notice = notice != NULL ? *notice : (byre_notice_t){ .kind = BYRE_NOTICE_NONE };
    request->handed_out = req_out != NULL;
    if (req_out != NULL) *req_out = request;
    hand_to_engine(request);
    return BYRE_OK;
undo:
    free(copy);
    if (request != NULL) byre__request_put(request);
    return error;
}

static __attribute__((noinline)) int isend_paged(byre_addr_t to, const void *buf, size_t bytes,
                                                 const byre_notice_t *notice,
                                                 byre_request_t *req_out)
{
    if (!notice_makes_sense(notice, req_out)) return BYRE_EINVAL;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    return isend_copied(to, buf, bytes, notice, req_out);
}

int byre_isend(byre_addr_t to, const void *buf, size_t bytes, const byre_notice_t *notice,
               byre_request_t *req_out)
{
    int error = check(to, buf, bytes);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (byre__is_paged(buf, bytes)) return isend_paged(to, buf, bytes, notice, req_out);
    byre__cow_resolve(buf, bytes);
    if (__builtin_expect((notice != NULL && notice->kind != BYRE_NOTICE_NONE) || byre__in_handler(),
                         0))
        return isend_prepared(to, buf, bytes, notice, req_out);
    if (__builtin_expect(req_out == NULL, 0)) return BYRE_EINVAL;
    byre__treq_t treq;
    error = start(to, buf, bytes, &treq);
    if (__builtin_expect(error != BYRE_OK, 0)) return error;
    if (treq.handle == NULL) {
        *req_out = &byre__request_sent;
        return BYRE_OK;
    }
    byre_request_t request = byre__request_get();
    if (__builtin_expect(request == NULL, 0)) return isend_waiting(to, treq, req_out);
    fill(request, to, buf, bytes, treq);
    request->kind = BYRE__REQUEST_SEND;
    *req_out = request;
    return BYRE_OK;
}

static bool room_for_copy(void *arg)
{
    return atomic_load(&adopted.count) < MOST_COPIES || byre__peer_absent(*(int *)arg);
}

int byre_isend_copy(byre_addr_t to, const void *buf, size_t bytes)
{
    int error = check(to, buf, bytes);
    if (error != BYRE_OK) return error;
    if (byre__is_paged(buf, bytes) && byre__in_handler()) return BYRE_ECONTEXT;
    if (!room_for_copy(&to.rank) && !byre__in_handler()) {
        (void)byre__wait_until(room_for_copy, &to.rank, 0);
        if (byre__peer_absent(to.rank)) return BYRE_EPEER;
    }
    return isend_copied(to, buf, bytes, NULL, NULL);
}

int byre_isend_cow(byre_addr_t to, const void *buf, size_t bytes, const byre_notice_t *notice,
                   byre_request_t *req_out)
{
    int error = check(to, buf, bytes);
    if (error != BYRE_OK) return error;
    if (byre__is_paged(buf, bytes)) return isend_paged(to, buf, bytes, notice, req_out);
    if (!notice_makes_sense(notice, req_out)) return BYRE_EINVAL;
    byre_request_t request = byre__request_get();
    if (request == NULL) return BYRE_ENOMEM;
    const void *from = NULL;
    error = byre__cow_begin(buf, bytes, &request->cow, &from);
    if (error != BYRE_OK) goto undo_get;
    byre__treq_t treq;
    error = start(to, from, bytes, &treq);
    if (error != BYRE_OK) goto undo_cow;
    fill(request, to, buf, bytes, treq);
    request->copy = NULL;
    request->notice = notice != NULL ? *notice : (byre_notice_t){ .kind = BYRE_NOTICE_NONE };
    request->handed_out = req_out != NULL;
    if (req_out != NULL) *req_out = request;
    hand_to_engine(request);
    return BYRE_OK;
undo_cow:
    byre__cow_end(request->cow);
    request->cow = NULL;
undo_get:
    byre__request_put(request);
    return error;
}

/* ---- the engine's part ---------------------------------------------------------------------- */

static void give_notice(const byre_notice_t *notice, int error)
{
    uint64_t one = 1;
    switch (notice->kind) {
    case BYRE_NOTICE_CALLBACK:
        byre__handler_enter();
        notice->callback(error, notice->arg);
        byre__handler_leave();
        break;
    case BYRE_NOTICE_SIGNAL:
        if (sigqueue(getpid(), notice->signal, (union sigval){ .sival_ptr = notice->arg }) != 0)
            byre__error("signal %d for a completed send could not be queued", notice->signal);
        break;
    case BYRE_NOTICE_EVENTFD:
        if (write(notice->eventfd, &one, sizeof one) != (ssize_t)sizeof one)
            byre__error("eventfd %d of a completed send cannot be written", notice->eventfd);
        break;
    case BYRE_NOTICE_NONE:
        break;
    }
}

static void clean_up(byre_request_t request, int result)
{
    if (result == BYRE_EPEER) { /* MPI may still read it: see the top */
        if (request->cow != NULL) byre__cow_resolve(request->buf, request->bytes);
    } else {
        free(request->copy);
        if (request->cow != NULL) byre__cow_end(request->cow);
    }
    request->copy = NULL;
    request->cow = NULL;
}

/* Who waits for the request may close the eventfd afterwards, and the number may be another file's then:
 * so that notice comes first. Others come when the request is complete. */
static void complete(byre_request_t request, int result)
{
    byre_notice_t notice = request->notice;
    bool handed_out = request->handed_out, first = notice.kind == BYRE_NOTICE_EVENTFD;
    clean_up(request, result);
    request->result = result;
    if (first) give_notice(&notice, result);
    atomic_store_explicit(&request->complete, 1, memory_order_release);
    if (!handed_out) byre__request_put(request);
    if (!first) give_notice(&notice, result);
}

static void adopt(byre_request_t request)
{
    atomic_fetch_add(&adopted.count, 1);
    atomic_fetch_add(&byre__message_jobs, 1);
    atomic_fetch_add(&byre__engine_unannounced, 1);
    struct byre_request *head = atomic_load(&adopted.added);
    do request->next = head;
    while (!atomic_compare_exchange_weak(&adopted.added, &head, request));
    byre__service_rouse();
}

static void take_over_added(void)
{
    struct byre_request *fresh = atomic_exchange(&adopted.added, NULL);
    while (fresh != NULL) {
        struct byre_request *next = fresh->next;
        fresh->next = adopted.list;
        adopted.list = fresh;
        fresh = next;
    }
}

/* Each test of an incomplete send lets MPI try everything: so a turn tests some, the next one the
 * others. */
int byre__send_poll(void)
{
    int count = 0, pending = 0;
    struct byre_request *tested = NULL, **tested_end = &tested;
    take_over_added();
    while (adopted.list != NULL && pending < TESTS_PER_TURN) {
        byre_request_t request = adopted.list;
        adopted.list = request->next;
        bool sent = byre__transport->test(&request->treq, NULL);
        if (!sent && !byre__peer_absent(request->peer)) {
            *tested_end = request;
            tested_end = &request->next;
            pending++;
            continue;
        }
        if (sent) byre__wake_for_message(request->peer); /* part of it may have left only now */
        complete(request, sent ? BYRE_OK : BYRE_EPEER);
        atomic_fetch_sub(&byre__engine_unannounced, 1);
        atomic_fetch_sub(&byre__message_jobs, 1);
        atomic_fetch_sub(&adopted.count, 1);
        count++;
    }
    *tested_end = NULL;
    struct byre_request **end = &adopted.list;
    while (*end != NULL) end = &(*end)->next;
    *end = tested;
    return count;
}

bool byre__send_drained(void)
{
    return atomic_load(&adopted.count) == 0;
}
