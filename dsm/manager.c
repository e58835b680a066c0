/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The manager of a unit puts requests for it in order: invariant 3 (docs/dsm.md). Its state:
 *
 *   idle      in_flight empty                    serve -> reading, writing
 *   reading   in_flight: those who have not confirmed their reads; more reads may be served
 *   writing   UNIT_WRITING, in_flight: the writer; everything else waits in the queue
 *
 * What this rank serves from its own copy, or grants without bytes, and nobody need acknowledge, is closed at
 * once (DSM_CLOSED): whatever it sends to the requester later comes later, so no CONFIRM is needed.
 *
 * `owner` and `copyset` are as they will be when what is in flight is through. No request passes one that
 * waits (manager_queue.c). With the dynamic manager the owner is the manager: manager_dynamic.c. When a rank
 * has died: manager_gone.c.
 */
#include "manager.h"

#include <string.h>

enum plan { PLAN_WAIT, PLAN_LOST, PLAN_GRANT, PLAN_ZERO, PLAN_FORWARD };

struct decision {
    enum plan plan;
    int source; /* FORWARD: who has the bytes; LOST: who had them */
    bool acks;  /* a write that others must acknowledge */
};

int byre__dsm_home(const dsm_region_t *region, size_t unit)
{
    switch (region->attr.home) {
    case BYRE_DSM_HOME_BLOCK:
        return (int)(unit / region->block_units);
    case BYRE_DSM_HOME_CYCLIC:
    case BYRE_DSM_HOME_FIRST_TOUCH:
        return (int)(unit % (size_t)byre__dsm.size);
    case BYRE_DSM_HOME_RANK:
        break;
    }
    return region->attr.home_rank;
}

int byre__dsm_manager(const dsm_region_t *region, size_t unit)
{
    int owner = region->unit[unit].owner;
    if (is_dynamic(region)) return owner != 0 ? owner - 1 : byre__dsm_home(region, unit);
    if (region->attr.manager == BYRE_DSM_MANAGER_CENTRAL) return region->attr.home_rank;
    return byre__dsm_home(region, unit);
}

/* ---- deciding ----------------------------------------------------------------------------- */

/* May this rank, not the owner, serve a reader from its own copy? */
static bool may_serve(const dsm_region_t *region, size_t unit)
{
    const dsm_unit_t *u = &region->unit[unit];
    return u->access >= DSM_READ && !(u->flags & UNIT_DEFERRED) &&
           set_has(copyset_of(region, unit), byre__dsm.rank);
}

static bool has_others(const uint64_t *set, int a, int b)
{
    for (int r = 0; (r = byre__dsm_set_next(set, r)) >= 0; r++)
        if (r != a && r != b) return true;
    return false;
}

/* What can be done for a request, the queue aside. */
static struct decision decide(const dsm_region_t *region, size_t unit, const dsm_request_t *request)
{
    const dsm_unit_t *u = &region->unit[unit];
    const uint64_t *copyset = copyset_of(region, unit);
    bool write = request->kind == DSM_WRITE;
    if (u->gone != 0) return (struct decision){ .plan = PLAN_LOST, .source = u->gone - 1 };
    if ((u->flags & UNIT_WRITING) || (write && !set_empty(in_flight_of(region, unit))) ||
        set_has(in_flight_of(region, unit), request->requester))
        return (struct decision){ .plan = PLAN_WAIT };
    if (set_empty(copyset)) return (struct decision){ .plan = PLAN_ZERO };
    int owner = u->owner - 1;
    bool has_copy =
        owner == request->requester || (request->have && set_has(copyset, request->requester));
    if (has_copy)
        return (struct decision){ .plan = PLAN_GRANT,
                                  .acks = write && has_others(copyset, request->requester, -1) };
    int source = !write && may_serve(region, unit) ? byre__dsm.rank : owner;
    return (struct decision){ .plan = PLAN_FORWARD,
                              .source = source,
                              .acks = write && has_others(copyset, request->requester, source) };
}

/* Can the same be done for both units, by one message to each? */
static bool same(const dsm_region_t *region, size_t unit, const struct decision *a, size_t other,
                 const struct decision *b)
{
    if (a->plan != b->plan || a->source != b->source || a->acks != b->acks) return false;
    return !a->acks || memcmp(copyset_of(region, unit), copyset_of(region, other),
                              byre__dsm.words * sizeof(uint64_t)) == 0;
}

/* ---- serving ------------------------------------------------------------------------------ */

dsm_msg_t byre__dsm_manager_msg(const dsm_region_t *region, size_t first, size_t count,
                                const dsm_request_t *request)
{
    return (dsm_msg_t){ .region = region->id,
                        .kind = (uint8_t)request->kind,
                        .hops = request->hops,
                        .first = first,
                        .count = (uint32_t)count,
                        .requester = request->requester,
                        .peer = byre__dsm.rank };
}

/* Who must drop its copy: all of the copyset but the writer, and who sends it the bytes. */
static void find_readers(const dsm_region_t *region, size_t unit, int writer, int source,
                         uint64_t *readers_out)
{
    memcpy(readers_out, copyset_of(region, unit), byre__dsm.words * sizeof *readers_out);
    set_remove(readers_out, writer);
    if (source >= 0) set_remove(readers_out, source);
}

/* Is it through as soon as it is sent? */
static bool is_closed(const struct decision *decision)
{
    bool own = decision->plan != PLAN_FORWARD || decision->source == byre__dsm.rank;
    return own && !decision->acks;
}

void byre__dsm_manager_open(dsm_region_t *region, size_t unit, int requester, bool write)
{
    set_add(in_flight_of(region, unit), requester);
    if (write) region->unit[unit].flags |= UNIT_WRITING;
}

static void begin_write(dsm_region_t *region, size_t unit, const dsm_request_t *request, int source,
                        bool closed)
{
    dsm_unit_t *u = &region->unit[unit];
    if (!is_dynamic(region)) {
        set_clear(copyset_of(region, unit));
        set_add(copyset_of(region, unit), request->requester);
        u->source = source >= 0 ? u->owner : 0;
        u->owner = 1 + request->requester;
    }
    if (!closed) byre__dsm_manager_open(region, unit, request->requester, true);
}

static void serve_read(dsm_region_t *region, size_t first, size_t count,
                       const dsm_request_t *request, const struct decision *decision)
{
    dsm_msg_t msg = byre__dsm_manager_msg(region, first, count, request);
    bool closed = is_closed(decision);
    if (closed) msg.flags |= DSM_CLOSED;
    for (size_t i = first; i < first + count; i++) {
        set_add(copyset_of(region, i), request->requester);
        if (!closed) byre__dsm_manager_open(region, i, request->requester, false);
    }
    if (decision->plan == PLAN_FORWARD)
        (void)byre__dsm_emit(region, decision->source, DSM_FORWARD, &msg, NULL);
    else
        (void)byre__dsm_emit(region, request->requester, DSM_GRANT, &msg, NULL);
}

static void serve_write(dsm_region_t *region, size_t first, size_t count,
                        const dsm_request_t *request, const struct decision *decision)
{
    uint64_t readers[DSM_WORDS_MAX];
    bool forward = decision->plan == PLAN_FORWARD;
    int source = forward ? decision->source : -1;
    dsm_msg_t msg = byre__dsm_manager_msg(region, first, count, request);
    find_readers(region, first, request->requester, source, readers);
    bool closed = is_closed(decision) && !is_dynamic(region);
    if (closed) msg.flags |= DSM_CLOSED;
    for (size_t i = first; i < first + count; i++) begin_write(region, i, request, source, closed);
    if (decision->acks)
        for (int r = 0; (r = byre__dsm_set_next(readers, r)) >= 0; r++)
            (void)byre__dsm_emit(region, r, DSM_INVALIDATE, &msg, NULL);
    const uint64_t *acks = decision->acks ? readers : NULL;
    if (forward) {
        (void)byre__dsm_emit(region, source, DSM_FORWARD, &msg, acks);
        return;
    }
    if (is_dynamic(region) && request->requester != byre__dsm.rank) {
        msg.flags |= DSM_OWN;
        (void)byre__dsm_emit(region, request->requester, DSM_GRANT, &msg, acks);
        for (size_t i = first; i < first + count; i++)
            byre__dsm_manager_hand_over(region, i, request->requester);
        return;
    }
    (void)byre__dsm_emit(region, request->requester, DSM_GRANT, &msg, acks);
}

/* Nobody has touched it: all frames of it are zero, and the first to come owns it. */
static void serve_zero(dsm_region_t *region, size_t first, size_t count,
                       const dsm_request_t *request)
{
    dsm_msg_t msg = byre__dsm_manager_msg(region, first, count, request);
    bool dynamic = is_dynamic(region), away = dynamic && request->requester != byre__dsm.rank;
    for (size_t i = first; i < first + count; i++) {
        region->unit[i].owner = 1 + request->requester;
        set_add(copyset_of(region, i), request->requester);
    }
    msg.flags |= dynamic ? DSM_OWN : DSM_CLOSED;
    (void)byre__dsm_emit(region, request->requester, DSM_GRANT, &msg, NULL);
    for (size_t i = first; away && i < first + count; i++)
        byre__dsm_manager_hand_over(region, i, request->requester);
}

void byre__dsm_manager_refuse(dsm_region_t *region, size_t first, size_t count,
                              const dsm_request_t *request)
{
    dsm_msg_t msg = byre__dsm_manager_msg(region, first, count, request);
    (void)byre__dsm_emit(region, request->requester, DSM_REFUSED, &msg, NULL);
}

void byre__dsm_manager_tell_lost(dsm_region_t *region, size_t unit, int requester,
                                 enum dsm_access kind, int dead, bool answer)
{
    dsm_msg_t msg = { .region = region->id,
                      .kind = (uint8_t)kind,
                      .flags = answer ? DSM_FAILED : 0,
                      .first = unit,
                      .count = 1,
                      .requester = requester,
                      .peer = dead };
    (void)byre__dsm_emit(region, requester, DSM_LOST, &msg, NULL);
}

static void serve(dsm_region_t *region, size_t first, size_t count, const dsm_request_t *request,
                  const struct decision *decision)
{
    if (decision->plan == PLAN_LOST)
        for (size_t i = first; i < first + count; i++)
            byre__dsm_manager_tell_lost(region, i, request->requester, request->kind,
                                        decision->source, false);
    else if (decision->plan == PLAN_ZERO)
        serve_zero(region, first, count, request);
    else if (request->kind == DSM_WRITE)
        serve_write(region, first, count, request, decision);
    else
        serve_read(region, first, count, request, decision);
}

void byre__dsm_manager_serve_queue(dsm_region_t *region, size_t unit)
{
    dsm_unit_t *u = &region->unit[unit];
    while (u->queue != NULL) {
        const dsm_queued_t *head = u->queue;
        dsm_request_t request = { head->requester, (enum dsm_access)head->kind, head->hops,
                                  head->have };
        struct decision decision = decide(region, unit, &request);
        if (decision.plan == PLAN_WAIT) return;
        (void)byre__dsm_manager_dequeue(region, u);
        serve(region, unit, 1, &request, &decision);
    }
}

/* ---- what comes --------------------------------------------------------------------------- */

/* May the unit be served at once? */
static bool is_free(const dsm_region_t *region, size_t unit, const dsm_request_t *request,
                    struct decision *decision_out)
{
    if (is_dynamic(region) && !is_owner(region, unit)) return false;
    if (region->unit[unit].queue != NULL) return false;
    *decision_out = decide(region, unit, request);
    return decision_out->plan != PLAN_WAIT;
}

/* A unit that is needed and cannot be served at once. */
static void request_needed(dsm_region_t *region, size_t unit, const dsm_request_t *request)
{
    if (is_dynamic(region) && !is_owner(region, unit))
        byre__dsm_manager_not_the_owner(region, unit, request);
    else
        byre__dsm_manager_enqueue(region, &region->unit[unit], request);
}

/* A run that can be served together. Returns its length, 0 if the first cannot be served. */
static size_t find_run(const dsm_region_t *region, size_t first, size_t count,
                       const dsm_request_t *request, struct decision *decision_out)
{
    struct decision next;
    size_t n = 0;
    if (!is_free(region, first, request, decision_out)) return 0;
    for (n = 1; n < count; n++)
        if (!is_free(region, first + n, request, &next) ||
            !same(region, first, decision_out, first + n, &next))
            break;
    return n;
}

void byre__dsm_manager_request(dsm_region_t *region, const dsm_msg_t *msg)
{
    dsm_request_t request = { msg->requester, (enum dsm_access)msg->kind, msg->hops,
                              msg->flags & DSM_HAVE };
    size_t at = msg->first, end = msg->first + msg->count;
    struct decision decision;
    bool needed = !(msg->flags & DSM_WISH);
    if (needed && find_run(region, at, 1, &request, &decision) == 0)
        request_needed(region, at++, &request);
    while (at < end) {
        size_t n = find_run(region, at, end - at, &request, &decision);
        if (n > 0) {
            serve(region, at, n, &request, &decision);
            at += n;
            continue;
        }
        size_t from = at;
        while (at < end && find_run(region, at, 1, &request, &decision) == 0) at++;
        byre__dsm_manager_refuse(region, from, at - from, &request);
    }
}

void byre__dsm_manager_confirm(dsm_region_t *region, const dsm_msg_t *msg, int source)
{
    for (size_t i = msg->first; i < msg->first + msg->count; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (!set_has(in_flight_of(region, i), source)) continue; /* it was given up: gone.c */
        set_remove(in_flight_of(region, i), source);
        if (msg->kind == DSM_WRITE) {
            u->flags &= (uint8_t)~UNIT_WRITING;
            if (msg->flags & DSM_FAILED) u->gone = 1 + msg->peer;
            u->source = 0;
        }
        byre__dsm_manager_serve_queue(region, i);
    }
}
