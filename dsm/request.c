/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requester's part of the protocol (docs/dsm.md). A unit's state here, `wanted`:
 *
 *              request             DATA, GRANT of a read
 *    NONE ----------------> READ --------------------------> NONE, may read
 *      |                      |   REFUSED, LOST
 *      |                      +----------------------------> NONE, as before
 *      |  request             DATA, GRANT: DATA_CAME; the last ACK, in any order
 *      +-----------------> WRITE --------------------------> NONE, may write
 *
 * An ACK may overtake the DATA that says whom to wait for. So `missing` is a set that both toggle: when
 * DATA has come, it is who has not acknowledged yet.
 */
#include "region.h"

#include "detector.h"
#include "log.h"

int byre__dsm_set_next(const uint64_t *set, int rank)
{
    for (; rank < byre__dsm.size; rank++)
        if (set_has(set, rank)) return rank;
    return -1;
}

#define RUN_BYTES \
    ((size_t)4 << 20) /* what one message may ask for: so that its answer is not too long */

/* ---- asking ------------------------------------------------------------------------------- */

static bool is_askable(const dsm_region_t *region, size_t unit, enum dsm_access kind)
{
    const dsm_unit_t *u = &region->unit[unit];
    return u->wanted == DSM_NONE && u->access < kind;
}

/* Nothing is under way for these units any more. */
static void close_request(dsm_region_t *region, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        dsm_unit_t *u = &region->unit[i];
        u->flags &= (uint8_t) ~(UNIT_WISH | UNIT_DATA_CAME | UNIT_OLD);
        atomic_store_explicit(&u->wanted, DSM_NONE, memory_order_release);
    }
    atomic_fetch_sub_explicit(&region->under_way, count, memory_order_release);
}

static void lose(dsm_region_t *region, size_t first, size_t count, int dead)
{
    for (size_t i = first; i < first + count; i++)
        atomic_store_explicit(&region->unit[i].lost, 1 + dead, memory_order_release);
    close_request(region, first, count);
}

size_t byre__dsm_request(dsm_region_t *region, size_t first, size_t count, enum dsm_access kind,
                         bool wish)
{
    if (region->attr.protocol == BYRE_DSM_MIGRATE) kind = DSM_WRITE;
    if (!is_askable(region, first, kind)) return 0;
    size_t most = RUN_BYTES > region->unit_bytes ? RUN_BYTES / region->unit_bytes : 1;
    if (count > most) count = most;
    int manager = byre__dsm_manager(region, first);
    size_t n = 1;
    while (n < count && first + n < region->units && is_askable(region, first + n, kind) &&
           region->unit[first + n].access == region->unit[first].access &&
           byre__dsm_manager(region, first + n) == manager)
        n++;
    dsm_msg_t msg = { .region = region->id,
                      .kind = (uint8_t)kind,
                      .first = first,
                      .count = (uint32_t)n,
                      .requester = byre__dsm.rank };
    if (wish) msg.flags |= DSM_WISH;
    if (region->unit[first].access == DSM_READ) msg.flags |= DSM_HAVE;
    for (size_t i = first; i < first + n; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (wish || i > first) u->flags |= UNIT_WISH;
        u->lost = 0;
        u->wanted = (uint8_t)kind;
    }
    mark_touched(region, first, n);
    atomic_fetch_add_explicit(&region->under_way, n, memory_order_relaxed);
    if (manager == byre__dsm.rank) byre__dsm_large_within(region, first, n);
    if (byre__dsm_emit(region, manager, DSM_REQUEST, &msg, NULL) != BYRE_OK)
        lose(region, first, n, manager);
    else /* while the request is on its way */
        byre__dsm_large_within(region, first, n);
    return n;
}

/* ---- what comes --------------------------------------------------------------------------- */

/* Open what has come. Units that shall be opened by a touch, and that nobody waits for, stay closed. */
static void open_run(dsm_region_t *region, size_t first, size_t count, enum dsm_access access)
{
    size_t end = first + count;
    for (size_t from = first; from < end;) {
        size_t to = from;
        while (to < end && !(region->unit[to].flags & UNIT_MARK)) to++;
        if (to > from) byre__dsm_view(region, from, to - from, access);
        if (to < end && region->unit[to].readers + region->unit[to].writers > 0) {
            region->unit[to].flags &= (uint8_t)~UNIT_MARK;
            byre__dsm_view(region, to, 1, access);
        }
        from = to + 1;
    }
}

static void complete(dsm_region_t *region, size_t first, size_t count, enum dsm_access access)
{
    uint32_t now = byre__dsm_clock();
    open_run(region, first, count, access); /* before threads see `access`: they go on at once */
    for (size_t i = first; i < first + count; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (u->flags & UNIT_WISH) region->stats.prefetched++;
        u->since = now;
        if (region->attr.freeze_after > 0 && u->bounces >= region->attr.freeze_after) {
            u->flags |= UNIT_FROZEN;
            u->bounces = 0;
            region->stats.frozen++;
        }
        atomic_store_explicit(&u->access, (uint8_t)access, memory_order_release);
    }
    close_request(region, first, count);
}

static void confirm(dsm_region_t *region, size_t first, size_t count, enum dsm_access kind, int to)
{
    dsm_msg_t msg = { .region = region->id,
                      .kind = (uint8_t)kind,
                      .first = first,
                      .count = (uint32_t)count,
                      .requester = byre__dsm.rank };
    (void)byre__dsm_emit(region, to, DSM_CONFIRM, &msg, NULL);
}

/* The write's data and all acknowledgements are here. */
static void write_complete(dsm_region_t *region, size_t first, size_t count, bool closed)
{
    complete(region, first, count, DSM_WRITE);
    if (!is_dynamic(region)) {
        if (!closed) confirm(region, first, count, DSM_WRITE, byre__dsm_manager(region, first));
        return;
    }
    for (size_t i = first; i < first + count; i++) byre__dsm_manager_settle(region, i);
}

static bool is_write_complete(const dsm_region_t *region, size_t unit)
{
    return (region->unit[unit].flags & UNIT_DATA_CAME) && set_empty(missing_of(region, unit));
}

static void complete_writes(dsm_region_t *region, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t from = first; from < end;) {
        size_t to = from;
        while (to < end && is_write_complete(region, to)) to++;
        if (to > from) write_complete(region, from, to - from, false);
        from = to + 1;
    }
}

static void drop_dead(uint64_t *missing)
{
    for (int r = 0; (r = byre__dsm_set_next(missing, r)) >= 0; r++)
        if (byre__peer_absent(r)) set_remove(missing, r);
}

static void write_data(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks)
{
    if (is_dynamic(region))
        for (size_t i = 0; i < msg->count; i++) byre__dsm_manager_inherit(region, msg->first + i);
    if (msg->flags & DSM_CLOSED) {
        write_complete(region, msg->first, msg->count, true);
        return;
    }
    for (size_t i = msg->first; i < msg->first + msg->count; i++) {
        region->unit[i].flags |= UNIT_DATA_CAME;
        if (acks == NULL) continue;
        uint64_t *missing = missing_of(region, i);
        for (size_t w = 0; w < byre__dsm.words; w++) missing[w] ^= acks[w];
        drop_dead(missing);
    }
    complete_writes(region, msg->first, msg->count);
}

void byre__dsm_requester_data(dsm_region_t *region, const dsm_msg_t *msg, const uint64_t *acks,
                              int source)
{
    const dsm_unit_t *u = &region->unit[msg->first];
    if (u->wanted != msg->kind) return;                 /* lost meanwhile, says the manager */
    BYRE__ASSERT(is_dynamic(region) || msg->hops <= 3); /* invariant 4 */
    if (msg->kind == DSM_WRITE) {
        write_data(region, msg, acks);
        return;
    }
    bool own = msg->flags & DSM_OWN;
    for (size_t i = msg->first; is_dynamic(region) && i < msg->first + msg->count; i++) {
        region->unit[i].owner = 1 + source;
        if (own) byre__dsm_manager_inherit(region, i);
    }
    complete(region, msg->first, msg->count, DSM_READ);
    if (!own && !(msg->flags & DSM_CLOSED))
        confirm(region, msg->first, msg->count, DSM_READ, msg->peer);
    for (size_t i = msg->first; own && i < msg->first + msg->count; i++)
        byre__dsm_manager_settle(region, i);
}

void byre__dsm_requester_ack(dsm_region_t *region, const dsm_msg_t *msg, int source)
{
    for (size_t i = msg->first; i < msg->first + msg->count; i++)
        missing_of(region, i)[source / 64] ^= UINT64_C(1) << (source % 64);
    complete_writes(region, msg->first, msg->count);
}

void byre__dsm_ack_from_dead(dsm_region_t *region, size_t unit, int dead)
{
    if (!(region->unit[unit].flags & UNIT_DATA_CAME)) return;
    set_remove(missing_of(region, unit), dead);
    complete_writes(region, unit, 1);
}

void byre__dsm_refused(dsm_region_t *region, const dsm_msg_t *msg)
{
    for (size_t i = msg->first; i < msg->first + msg->count; i++)
        if (region->unit[i].wanted == msg->kind && !(region->unit[i].flags & UNIT_DATA_CAME)) {
            close_request(region, i, 1);
            byre__dsm_manager_forgo(region, i);
        }
}

/* The manager of a write waits for the outcome: data that came before it is valid, and is confirmed. */
void byre__dsm_lost(dsm_region_t *region, const dsm_msg_t *msg, int source)
{
    for (size_t i = msg->first; i < msg->first + msg->count; i++) {
        dsm_unit_t *u = &region->unit[i];
        if (u->wanted != msg->kind || (u->flags & UNIT_DATA_CAME)) continue;
        lose(region, i, 1, msg->peer);
        if (is_dynamic(region)) byre__dsm_manager_astray(region, i);
        if (!(msg->flags & DSM_FAILED)) continue;
        set_clear(missing_of(region, i));
        dsm_msg_t answer = *msg;
        answer.first = i;
        answer.count = 1;
        answer.hops = 0;
        (void)byre__dsm_emit(region, source, DSM_CONFIRM, &answer, NULL);
    }
}
