/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Receives that the engine matches.
 *
 * MPI would cut a message that is longer than a posted receive. So a large receive is not posted:
 * the engine looks for its message with a matched probe, which tells the length first. One that is
 * too long is kept, whole, at the head of its port.
 *
 * Invariants 1 and 2 of ports.h.
 */
#include "ports.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "progress.h"
#include "service.h"
#include "stage.h"
#include <stdlib.h>
#include <string.h>

/* Queued receives whose message has been matched. */
static struct byre_request *taking;

static void end_request(byre_request_t request, int result)
{
    request->result = result;
    atomic_fetch_sub(&byre__message_jobs, 1);
    atomic_store_explicit(&request->complete, 1, memory_order_release);
}

/* A queued receive has its message: receive it, or keep it if it is too long. */
static void give_message(struct port *port, byre_request_t request, byre__tmsg_t message,
                         const byre__tstatus_t *status)
{
    request->info =
        (byre_info_t){ .source = status->source, .port = port->number, .bytes = status->bytes };
    if (status->bytes > request->room) {
        struct kept *kept = malloc(sizeof *kept);
        BYRE__ASSERT(kept != NULL);
        *kept =
            (struct kept){ .source = status->source, .bytes = status->bytes, .message = message };
        *port->kept_end = kept;
        port->kept_end = &kept->next;
        byre__count(msg_kept);
        end_request(request, BYRE_ETRUNC);
        return;
    }
    byre__cow_resolve(request->buf, status->bytes);
    if (byre__transport->receive(&message, request->buf, status->bytes, &request->treq) !=
        BYRE_OK) {
        end_request(request, BYRE_EMPI);
        return;
    }
    byre__tstatus_t end = { 0 };
    if (byre__transport->test(&request->treq, &end)) {
        byre__port_received(request->info.source, status->bytes);
        end_request(request, end.error == BYRE_OK ? BYRE_OK : BYRE_EPEER);
        return;
    }
    if (status->bytes >= BYRE__LARGE) atomic_fetch_add(&byre__engine_unannounced, 1);
    request->next = taking;
    taking = request;
}

static struct byre_request *unlink_request(struct port *port, struct byre_request **at)
{
    struct byre_request *request = *at;
    *at = request->next;
    if (port->queue_end == &request->next) port->queue_end = at;
    return request;
}

/* Invariant 2: the first receive in the queue that takes messages from this source. */
static struct byre_request **first_wanting(struct port *port, int source)
{
    struct byre_request **at = &port->queue;
    while ((*at)->peer != BYRE_ANY && (*at)->peer != source) at = &(*at)->next;
    return at;
}

static bool asked_before(const struct port *port, const struct byre_request *until, int from)
{
    for (const struct byre_request *r = port->queue; r != until; r = r->next)
        if (r->peer == from) return true;
    return false;
}

/* Give a kept message to the first queued receive that it fits. */
static int match_kept(struct port *port)
{
    int matched = 0;
    for (struct byre_request **at = &port->queue; port->kept != NULL && *at != NULL;) {
        struct kept **kept_at = byre__port_find_kept(port, (*at)->peer);
        if (kept_at == NULL) {
            at = &(*at)->next;
            continue;
        }
        struct byre_request *request = unlink_request(port, at);
        request->info = (byre_info_t){ .source = (*kept_at)->source,
                                       .port = port->number,
                                       .bytes = (*kept_at)->bytes };
        matched++;
        if ((*kept_at)->bytes > request->room) {
            end_request(request, BYRE_ETRUNC);
            continue;
        }
        struct kept *kept = byre__port_unlink_kept(port, kept_at);
        byre__cow_resolve(request->buf, kept->bytes);
        if (kept->stage != NULL) {
            if (kept->bytes > 0) memcpy(request->buf, byre__stage_data(kept->stage), kept->bytes);
            byre__stage_put_used(kept->stage, kept->bytes);
            byre__count(msg_received);
            end_request(request, BYRE_OK);
        } else {
            byre__tstatus_t status = { .source = kept->source, .bytes = kept->bytes };
            give_message(port, request, kept->message, &status);
        }
        free(kept);
    }
    return matched;
}

int byre__port_match_queue(struct port *port)
{
    int matched = match_kept(port);
    byre__tmsg_t message;
    byre__tstatus_t status;
    for (struct byre_request **at = &port->queue; *at != NULL;) {
        int from = (*at)->peer;
        if (asked_before(port, *at, from) ||
            !byre__transport->take(BYRE__CHANNEL_MSG, from, port->number, &message, &status)) {
            at = &(*at)->next;
            continue;
        }
        give_message(port, unlink_request(port, first_wanting(port, status.source)), message,
                     &status);
        matched++;
        at = &port->queue;
    }
    return matched;
}

int byre__port_end_hopeless(struct port *port)
{
    int ended = 0;
    bool news = byre__failure_news();
    for (struct byre_request **at = &port->queue; *at != NULL;) {
        int from = (*at)->peer;
        if (from == BYRE_ANY ? !news : !byre__peer_absent(from)) {
            at = &(*at)->next;
            continue;
        }
        struct byre_request *request = unlink_request(port, at);
        request->info = (byre_info_t){ .source = from == BYRE_ANY ? byre__failure_latest() : from,
                                       .port = port->number };
        end_request(request, BYRE_EPEER);
        ended++;
    }
    return ended;
}

int byre__port_poll_taking(void)
{
    int count = 0;
    for (struct byre_request **at = &taking; *at != NULL;) {
        struct byre_request *request = *at;
        int source = request->info.source;
        byre__tstatus_t status = { 0 };
        bool there = byre__transport->test(&request->treq, &status);
        if (!there && !byre__peer_absent(source)) {
            at = &request->next;
            continue;
        }
        *at = request->next;
        if (request->info.bytes >= BYRE__LARGE) atomic_fetch_sub(&byre__engine_unannounced, 1);
        if (there) byre__port_received(source, request->info.bytes);
        end_request(request, there && status.error == BYRE_OK ? BYRE_OK : BYRE_EPEER);
        count++;
    }
    return count;
}

/* ---- for receives ------------------------------------------------------------------------------ */

int byre__port_enqueue(byre_request_t request)
{
    byre__ports_lock();
    struct port *port = byre__port_find_or_add(request->info.port);
    int error = port == NULL ? BYRE_ENOMEM : port->popup != NULL ? BYRE_EBUSY : BYRE_OK;
    if (error == BYRE_OK) {
        bool before = byre__port_is_special(port);
        request->next = NULL;
        *port->queue_end = request;
        port->queue_end = &request->next;
        atomic_fetch_add(&byre__message_jobs, 1);
        (void)byre__port_match_queue(port);
        if (port->queue != NULL) byre__port_activate(port);
        byre__port_count_special(before, port);
    }
    byre__ports_unlock();
    if (error == BYRE_OK && atomic_load(&request->complete) == 0) byre__service_rouse();
    return error;
}

bool byre__port_cancel(byre_request_t request)
{
    bool found = false;
    byre__ports_lock();
    struct port *port = byre__port_find(request->info.port);
    for (struct byre_request **at = port == NULL ? NULL : &port->queue;
         at != NULL && *at != NULL && !found; at = &(*at)->next) {
        if (*at != request) continue;
        bool before = byre__port_is_special(port);
        (void)unlink_request(port, at);
        byre__port_count_special(before, port);
        end_request(request, BYRE_ECANCELED);
        found = true;
        break;
    }
    byre__ports_unlock();
    return found;
}

void byre__port_queue_fini(void)
{
    taking = NULL;
}
