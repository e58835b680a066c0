/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Active messages from other nodes: the receives that are posted for them. Everything here is the driver's.
 *
 * MPI matches receives in the order in which they were posted, so only the oldest need be tested. But a
 * receive that was matched completes only when its message is through, and one that takes several steps
 * (rendezvous) from a rank that dies meanwhile never is. Nothing tells whose it is. The others must get
 * past it: unblock(), called now and then, moves what is incomplete before something complete to the late
 * ones. A message that comes while there are late ones waits among them for its turn, for the order of
 * messages (invariant 1 of am.c) must hold.
 *
 * The last word of a frame is its number among the messages of its sender to this rank; numbers are
 * taken before MPI gets the frame, so those of several threads may overtake each other.
 *
 * Invariant. A message with number n passes late ones only if at least n messages of its sender were
 * handled. Then none of the late ones was sent before it: let m be one that was, by a sender that had seen
 * it given to MPI before it took n. m's number is below n and not handled, so among the at least n that
 * were handled one has a number above n. This was taken later, so its receive is behind m's; it passed
 * m, hence the same holds for it with a number still higher: and so on, without end.
 * And nobody waits for ever: of those of a living sender the lowest number may always pass.
 */
#include "am_peer.h"

#include "node.h"
#include <stdlib.h>
#include <string.h>

enum {
    RING = 64,
    LATE_LOOKS = 8 /* looks at the ring between two at the late ones */
};

typedef struct slot {
    struct slot *next;
    byre__treq_t req;
    bool complete; /* status says how */
    byre__tstatus_t status;
    _Alignas(BYRE__AM_ALIGN) unsigned char frame[BYRE__AM_FRAME];
} slot_t;

typedef struct list {
    slot_t *first, **end;
    int count;
} list_t;

static struct {
    list_t posted; /* in the order of posting */
    list_t late;   /* older than all of these, in that order; complete or not */
    list_t spent;  /* to be posted again */
    unsigned looks;
    bool moved; /* something came since the last unblock */
} ring;

static void append(list_t *list, slot_t *slot)
{
    slot->next = NULL;
    *list->end = slot;
    list->end = &slot->next;
    list->count++;
}

/* at: where the list points to it from. */
static slot_t *take(list_t *list, slot_t **at)
{
    slot_t *slot = *at;
    *at = slot->next;
    if (list->end == &slot->next) list->end = at;
    list->count--;
    return slot;
}

static bool complete(slot_t *slot)
{
    if (!slot->complete) slot->complete = byre__transport->test(&slot->req, &slot->status);
    return slot->complete;
}

/* ---- posting ------------------------------------------------------------------------------------ */

static bool post(slot_t *slot)
{
    slot->complete = false;
    return byre__transport->irecv(BYRE__CHANNEL_AM, BYRE__ANY_SOURCE, BYRE__AM_TAG, slot->frame,
                                  BYRE__AM_FRAME, &slot->req) == BYRE_OK;
}

/* Receives are posted again while there is nothing else to do, or when half of the ring is used up:
 * so that an answer does not wait for it. */
static void post_again(void)
{
    while (ring.spent.first != NULL && post(ring.spent.first))
        append(&ring.posted, take(&ring.spent, &ring.spent.first));
}

static bool add_slot(void)
{
    slot_t *slot = aligned_alloc(64, (sizeof *slot + 63) / 64 * 64);
    if (slot == NULL) return false;
    append(&ring.spent, slot);
    return true;
}

/* ---- handling ----------------------------------------------------------------------------------- */

static uint32_t number_of(const slot_t *slot)
{
    uint32_t number = 0;
    if (slot->status.bytes >= sizeof number)
        memcpy(&number, slot->frame + slot->status.bytes - sizeof number, sizeof number);
    return number;
}

static bool may_pass(const slot_t *slot)
{
    if (slot->status.error != BYRE_OK) return true;
    return (int32_t)(byre__am_peers[slot->status.source].arrived - number_of(slot)) >= 0;
}

static int handle(slot_t *slot)
{
    if (slot->status.error == BYRE_OK) {
        size_t bytes = slot->status.bytes, number = sizeof(uint32_t);
        byre__am_peers[slot->status.source].arrived++;
        byre__am_arrived(slot->status.source, (const byre__am_wire_t *)slot->frame,
                         bytes > number ? bytes - number : 0);
    }
    append(&ring.spent, slot);
    ring.moved = true;
    if (ring.posted.count < RING / 2) post_again();
    return 1;
}

/* The first of the late ones whose turn it is: none before it is incomplete, or it may pass them. */
static int poll_late(void)
{
    bool passes = false;
    for (slot_t **at = &ring.late.first; *at != NULL; at = &(*at)->next) {
        if (!complete(*at))
            passes = true;
        else if (!passes || may_pass(*at))
            return handle(take(&ring.late, at));
    }
    return 0;
}

int byre__am_ring_poll(void)
{
    if (__builtin_expect(ring.late.first != NULL, 0) && ring.looks++ % LATE_LOOKS == 0 &&
        poll_late() > 0)
        return 1;
    slot_t *slot = ring.posted.first;
    if (slot == NULL || !complete(slot)) {
        if (__builtin_expect(ring.spent.first != NULL, 0)) post_again();
        return 0;
    }
    (void)take(&ring.posted, &ring.posted.first);
    if (__builtin_expect(ring.late.first == NULL, 1) || may_pass(slot)) return handle(slot);
    append(&ring.late, slot);
    return 0;
}

void byre__am_ring_unblock(void)
{
    slot_t *slot = ring.posted.first;
    bool moved = ring.moved;
    ring.moved = false;
    if (moved) return;
    while (slot != NULL && !complete(slot)) slot = slot->next;
    if (slot == NULL || slot == ring.posted.first)
        return; /* nothing has come, or nothing is before it */
    while (ring.posted.first != slot) append(&ring.late, take(&ring.posted, &ring.posted.first));
    for (int missing = RING - ring.posted.count - ring.spent.count; missing > 0; missing--)
        if (!add_slot()) break; /* a shorter ring, then */
}

/* ---- start and finish --------------------------------------------------------------------------- */

int byre__am_ring_init(void)
{
    ring.posted = (list_t){ .end = &ring.posted.first };
    ring.late = (list_t){ .end = &ring.late.first };
    ring.spent = (list_t){ .end = &ring.spent.first };
    for (int i = 0; i < RING; i++) {
        if (add_slot()) continue;
        byre__am_ring_fini();
        return BYRE_ENOMEM;
    }
    post_again();
    return BYRE_OK;
}

/* Where a dead rank's message was to come to is left to MPI. */
static void give_up(list_t *list)
{
    while (list->first != NULL) {
        slot_t *slot = take(list, &list->first);
        if (!slot->complete) byre__transport->cancel(&slot->req);
        if (complete(slot)) free(slot);
    }
}

void byre__am_ring_fini(void)
{
    while (ring.spent.first != NULL) free(take(&ring.spent, &ring.spent.first));
    give_up(&ring.posted);
    give_up(&ring.late);
}
