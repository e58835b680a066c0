/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whoever has a copy of a unit: it gives it to others, drops it, and may put that off for a bounded time.
 *
 * What puts it off:
 *   a thread of this rank that waited for this access and has not had it (invariant 4: a fault makes
 *     progress), and the moment that it needs to repeat the access;
 *   a pin; the hold time; a frozen unit (freeze and defrost: a page that bounces stays where it is for
 *     a while, after Cox and Fowler 1989).
 * None of these waits for another rank, so it ends. What is put off is looked at again in the order in
 * which it came, when one of these ends or a timer says so; what comes for the same unit meanwhile
 * queues behind it.
 *
 * The protection changes before bytes are copied out: a store under way is in, or faults.
 */
#include "region.h"

#include "detector.h"
#include "log.h"
#include <ck_pr.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOMENT = 4, /* ticks of byre__dsm_clock that a thread may need to repeat its access */
    TICK_NS = 1024
};

bool byre__dsm_no_invalidate;

/* ---- putting off -------------------------------------------------------------------------- */

static uint32_t hold_ticks(const dsm_region_t *region, const dsm_unit_t *u)
{
    uint32_t us = u->flags & UNIT_FROZEN ? region->attr.defrost_us : region->attr.hold_us;
    uint32_t ticks = (uint32_t)((uint64_t)us * 1000 / TICK_NS);
    return ticks > MOMENT ? ticks : MOMENT;
}

/* Ticks until the unit may be reduced to `left`; 0: at once; UINT32_MAX: until something changes. */
static uint32_t busy_for(const dsm_region_t *region, const dsm_unit_t *u, enum dsm_access left)
{
    if (u->access <= left) return 0;
    bool write = u->access == DSM_WRITE;
    unsigned waiting = left == DSM_NONE ? u->readers : 0;
    if (write) waiting += u->writers;
    if (waiting > 0 || (left == DSM_NONE ? u->pins : u->write_pins) > 0) return UINT32_MAX;
    uint32_t hold = hold_ticks(region, u);
    uint32_t passed = byre__dsm_clock() - u->since;
    if (passed >= hold) return 0;
    if (hold > MOMENT) return hold - passed;
    while (byre__dsm_clock() - u->since < hold) ck_pr_stall(); /* shorter than any way to wait */
    return 0;
}

static void look_again(dsm_region_t *region, uint64_t ns)
{
    byre__timer_set(&region->timer, byre__now_ns() + ns);
}

static void defer(dsm_region_t *region, enum byre__dsm_id id, const dsm_msg_t *msg,
                  const uint64_t *acks, uint32_t ticks)
{
    size_t words = acks != NULL ? byre__dsm.words : 0;
    dsm_deferred_t *entry = malloc(sizeof *entry + words * sizeof *acks);
    BYRE__ASSERT(entry != NULL); /* a lost message would hang its requester */
    entry->next = NULL;
    entry->id = id;
    entry->msg = *msg;
    entry->has_acks = acks != NULL;
    if (acks != NULL) memcpy(entry->acks, acks, words * sizeof *acks);
    *region->deferred_end = entry;
    region->deferred_end = &entry->next;
    for (size_t i = msg->first; i < msg->first + msg->count; i++) {
        region->unit[i].flags |= UNIT_DEFERRED;
        if (msg->flags & DSM_CLOSED) /* this rank is the manager, and did not expect that */
            byre__dsm_manager_open(region, i, msg->requester, msg->kind == DSM_WRITE);
    }
    entry->msg.flags &= (uint16_t)~DSM_CLOSED;
    region->stats.held++;
    if (ticks != UINT32_MAX) look_again(region, (uint64_t)ticks * TICK_NS);
}

static uint32_t unit_busy_for(const dsm_region_t *region, size_t unit, enum dsm_access left)
{
    const dsm_unit_t *u = &region->unit[unit];
    return u->flags & UNIT_DEFERRED ? UINT32_MAX : busy_for(region, u, left);
}

/* The units of a message are looked at one by one, and only those that are busy are put off: what is free must
 * not wait for them, because what they wait for may wait for it. Finds the first run of units from `at` on
 * that are free; puts off the busy ones before it. False: there is none. */
static bool next_free(dsm_region_t *region, enum byre__dsm_id id, const dsm_msg_t *msg,
                      const uint64_t *acks, size_t at, dsm_msg_t *run_out)
{
    enum dsm_access left = id == DSM_FORWARD && msg->kind == DSM_READ ? DSM_READ : DSM_NONE;
    size_t end = msg->first + msg->count;
    dsm_msg_t run = *msg;
    run.count = 1;
    for (; at < end; at++) {
        run.first = at;
        uint32_t ticks = unit_busy_for(region, at, left);
        if (__builtin_expect(ticks == 0, 1)) break;
        defer(region, id, &run, acks, ticks);
    }
    if (at == end) return false;
    while (at + run.count < end && unit_busy_for(region, at + run.count, left) == 0) run.count++;
    *run_out = run;
    return true;
}

/* Each is taken out and handled as if it came now; what is still busy goes to the end, in order. */
static void holder_deferred(dsm_region_t *region)
{
    dsm_deferred_t *list = region->deferred;
    region->deferred = NULL;
    region->deferred_end = &region->deferred;
    for (const dsm_deferred_t *entry = list; entry != NULL; entry = entry->next)
        for (size_t i = 0; i < entry->msg.count; i++)
            region->unit[entry->msg.first + i].flags &= (uint8_t)~UNIT_DEFERRED;
    while (list != NULL) {
        dsm_deferred_t *next = list->next;
        region->stats.held--; /* it is counted once */
        uint64_t before = region->stats.held;
        if (list->id == DSM_FORWARD)
            byre__dsm_holder_forward(region, &list->msg, list->has_acks ? list->acks : NULL);
        else
            byre__dsm_holder_invalidate(region, &list->msg);
        if (region->stats.held == before) region->stats.held++;
        free(list);
        list = next;
    }
}

static void on_timer(byre__timer_t *timer)
{
    dsm_region_t *region = (dsm_region_t *)((char *)timer - offsetof(dsm_region_t, timer));
    byre__dsm_lock(region);
    if (region->id != 0) holder_deferred(region);
    byre__dsm_unlock(region);
}

void byre__dsm_holder_start(dsm_region_t *region)
{
    region->deferred = NULL;
    region->deferred_end = &region->deferred;
    region->timer.fn = on_timer;
}

void byre__dsm_holder_retry(dsm_region_t *region, uint64_t soon_ns)
{
    if (__builtin_expect(region->deferred != NULL, 0)) look_again(region, soon_ns);
}

void byre__dsm_deferred_drop(dsm_region_t *region)
{
    while (region->deferred != NULL) {
        dsm_deferred_t *next = region->deferred->next;
        free(region->deferred);
        region->deferred = next;
    }
    region->deferred_end = &region->deferred;
}

/* ---- giving up ---------------------------------------------------------------------------- */

/* Freeze and defrost: is it taken away soon after it came? */
static void note_bounce(const dsm_region_t *region, dsm_unit_t *u)
{
    u->flags &= (uint8_t)~UNIT_FROZEN;
    if (region->attr.freeze_after == 0) return;
    uint32_t window = (uint32_t)((uint64_t)region->attr.defrost_us * 1000 / TICK_NS);
    bool soon = byre__dsm_clock() - u->since < window;
    u->bounces = (uint16_t)(soon ? u->bounces + 1 : 0);
}

/* Close views that permit more, in runs. */
static void close_views(dsm_region_t *region, size_t first, size_t count, enum dsm_access left)
{
    size_t end = first + count;
    for (size_t from = first; from < end;) {
        size_t to = from;
        while (to < end && region->unit[to].mapped > left) to++;
        if (to > from) byre__dsm_view(region, from, to - from, left);
        from = to + 1;
    }
}

static void reduce(dsm_region_t *region, size_t first, size_t count, enum dsm_access left)
{
    close_views(region, first, count, left);
    for (size_t i = first; i < first + count; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (u->access <= left) continue;
        note_bounce(region, u);
        if (left == DSM_NONE)
            region->stats.invalidations++, u->flags &= (uint8_t)~UNIT_MARK;
        else
            region->stats.downgrades++;
        atomic_store_explicit(&u->access, (uint8_t)left, memory_order_release);
    }
}

static void give(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks)
{
    bool write = msg->kind == DSM_WRITE;
    BYRE__ASSERT(region->unit[msg->first].access !=
                 DSM_NONE); /* invariant 2: only owners are asked */
    reduce(region, msg->first, msg->count, write ? DSM_NONE : DSM_READ);
    dsm_msg_t data = *msg;
    bool hand_over = write && region->attr.manager == BYRE_DSM_MANAGER_DYNAMIC;
    if (hand_over) data.flags |= DSM_OWN;
    (void)byre__dsm_emit(region, msg->requester, DSM_DATA, &data, acks);
    for (size_t i = 0; hand_over && i < msg->count; i++)
        byre__dsm_manager_hand_over(region, msg->first + i, msg->requester);
}

void byre__dsm_holder_forward(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks)
{
    dsm_msg_t run = *msg;
    if (byre__peer_absent(msg->requester)) return;
    for (size_t at = msg->first; next_free(region, DSM_FORWARD, msg, acks, at, &run);
         at = run.first + run.count)
        give(region, &run, acks);
}

static void drop(dsm_region_t *region, const dsm_msg_t *msg)
{
    if (!byre__dsm_no_invalidate) reduce(region, msg->first, msg->count, DSM_NONE);
    if (region->attr.manager == BYRE_DSM_MANAGER_DYNAMIC) /* there it will be: shorter chains */
        region->unit[msg->first].owner = 1 + msg->requester;
    (void)byre__dsm_emit(region, msg->requester, DSM_ACK, msg, NULL);
}

void byre__dsm_holder_invalidate(dsm_region_t *region, const dsm_msg_t *msg)
{
    dsm_msg_t run = *msg;
    for (size_t at = msg->first; next_free(region, DSM_INVALIDATE, msg, NULL, at, &run);
         at = run.first + run.count)
        drop(region, &run);
}
