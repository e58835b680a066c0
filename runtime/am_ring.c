/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Active messages from other nodes: the receives that are posted for them. Everything here is the driver's.
 *
 * MPI matches receives in the order in which they were posted, so only the oldest need be tested. But a
 * receive that was matched completes only when its message is through, and one that takes several steps
 * (rendezvous) from a rank that dies meanwhile never is. Nothing tells whose it is. The others must get
 * past it: unblock(), called now and then, moves what is incomplete before something complete to the late
 * ones, when nothing has come meanwhile; once there are such, that is done every few looks. A message that comes
 * while there are late ones waits among them for its turn, for the order of messages (invariant 1 of am.c)
 * must hold.
 *
 * The tag of a message is its number among those of its sender to this rank, as far as tags go; it is taken
 * before MPI gets the message, so those of several threads may overtake each other.
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
#include <limits.h>
#include <stdlib.h>

enum {
    RING = 64,
    LATE_LOOKS = 8 /* looks at the ring between two at the late ones */
};

/* Apart from the frames: all of the ring are in a page, and the next one to be looked at is in the cache. */
typedef struct slot {
    struct slot *next;
    unsigned char *frame;
    byre__treq_t req;
    bool complete; /* status says how */
    byre__tstatus_t status;
} slot_t;

typedef struct block {
    struct block *next;
    slot_t *slots;
    unsigned char *frames;
} block_t;

typedef struct list {
    slot_t *first, **end;
    int count;
} list_t;

static struct {
    list_t posted; /* in the order of posting */
    list_t late;   /* older than all of these, in that order; complete or not */
    list_t spent;  /* to be posted again */
    block_t *blocks;
    uint32_t tags; /* 2^k - 1: tags are numbers modulo 2^k */
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
    return byre__transport->irecv(BYRE__CHANNEL_AM, BYRE__ANY_SOURCE, BYRE__ANY_TAG, slot->frame,
                                  BYRE__AM_FRAME, &slot->req) == BYRE_OK;
}

/* Receives are posted again while there is nothing else to do, or when half of the ring is used up:
 * so that an answer does not wait for it. */
static void post_again(void)
{
    while (ring.spent.first != NULL && post(ring.spent.first))
        append(&ring.posted, take(&ring.spent, &ring.spent.first));
}

static void free_block(block_t *block)
{
    free(block->slots);
    free(block->frames);
    free(block);
}

static bool add_slots(int count)
{
    block_t *block = malloc(sizeof *block);
    if (block == NULL) return false;
    block->slots = calloc((size_t)count, sizeof *block->slots);
    block->frames = aligned_alloc(64, ((size_t)count * BYRE__AM_FRAME + 63) / 64 * 64);
    if (block->slots == NULL || block->frames == NULL) {
        free_block(block);
        return false;
    }
    for (int i = 0; i < count; i++) {
        block->slots[i].frame = block->frames + (size_t)i * BYRE__AM_FRAME;
        append(&ring.spent, &block->slots[i]);
    }
    block->next = ring.blocks;
    ring.blocks = block;
    return true;
}

/* ---- handling ----------------------------------------------------------------------------------- */

int byre__am_ring_tag(uint32_t number)
{
    return (int)(number & ring.tags);
}

/* Were as many messages of its sender handled as its number says, or more? Both are less apart than half of
 * the tags. */
static bool may_pass(const slot_t *slot)
{
    if (slot->status.error != BYRE_OK) return true;
    uint32_t handled = byre__am_peers[slot->status.source].arrived;
    return ((handled - (uint32_t)slot->status.tag) & ring.tags) <= ring.tags / 2;
}

static int handle(slot_t *slot)
{
    if (slot->status.error == BYRE_OK) {
        byre__am_peers[slot->status.source].arrived++;
        byre__am_arrived(slot->status.source, (const byre__am_wire_t *)slot->frame,
                         slot->status.bytes);
    }
    append(&ring.spent, slot);
    ring.moved = true;
    if (ring.posted.count < RING / 2) post_again();
    return 1;
}

/* Find out whether one that was incomplete is complete now. */
static void test_list(const list_t *list)
{
    slot_t *slots[BYRE__TEST_MOST];
    byre__treq_t *reqs[BYRE__TEST_MOST];
    byre__tstatus_t status;
    int count = 0;
    for (slot_t *slot = list->first; slot != NULL && count < BYRE__TEST_MOST; slot = slot->next) {
        if (slot->complete) continue;
        slots[count] = slot;
        reqs[count++] = &slot->req;
    }
    int index = count > 0 ? byre__transport->test_any(reqs, count, &status) : -1;
    if (index < 0) return;
    slots[index]->complete = true;
    slots[index]->status = status;
}

/* The first of the late ones whose turn it is: none before it is incomplete, or it may pass them. */
static int poll_late(void)
{
    bool passes = false;
    test_list(&ring.late);
    for (slot_t **at = &ring.late.first; *at != NULL; at = &(*at)->next) {
        if (!(*at)->complete)
            passes = true;
        else if (!passes || may_pass(*at))
            return handle(take(&ring.late, at));
    }
    return 0;
}

/* What is incomplete before something that is complete is late. Is there any such thing? */
static bool overtake(void)
{
    slot_t *slot = ring.posted.first;
    test_list(&ring.posted);
    while (slot != NULL && !slot->complete) slot = slot->next;
    if (slot == NULL || slot == ring.posted.first) return false;
    while (ring.posted.first != slot) append(&ring.late, take(&ring.posted, &ring.posted.first));
    int missing = RING - ring.posted.count - ring.spent.count;
    if (missing > 0) (void)add_slots(missing); /* or the ring is shorter, then */
    return true;
}

/* Somebody has died: there may be more of its messages. */
static int look_at_late(void)
{
    if (ring.looks++ % LATE_LOOKS != 0) return 0;
    (void)overtake();
    return poll_late();
}

int byre__am_ring_poll(void)
{
    if (__builtin_expect(ring.late.first != NULL, 0) && look_at_late() > 0) return 1;
    slot_t *slot = ring.posted.first;
    if (slot == NULL || !complete(slot)) {
        if (__builtin_expect(ring.spent.first != NULL, 0)) post_again();
        return 0;
    }
    (void)take(&ring.posted, &ring.posted.first);
    if (__builtin_expect(ring.late.first == NULL, 1) || may_pass(slot)) return handle(slot);
    append(&ring.late, slot);
    return 1;
}

int byre__am_ring_unblock(void)
{
    bool moved = ring.moved;
    ring.moved = false;
    return !moved && overtake();
}

/* ---- start and finish --------------------------------------------------------------------------- */

int byre__am_ring_init(void)
{
    ring.posted = (list_t){ .end = &ring.posted.first };
    ring.late = (list_t){ .end = &ring.late.first };
    ring.spent = (list_t){ .end = &ring.spent.first };
    ring.blocks = NULL;
    ring.tags = INT_MAX;
    while (ring.tags > (uint32_t)byre__transport->max_tag) ring.tags >>= 1;
    if (!add_slots(RING)) return BYRE_ENOMEM;
    post_again();
    return BYRE_OK;
}

static bool give_up(list_t *list)
{
    bool all = true;
    for (slot_t *slot = list->first; slot != NULL; slot = slot->next) {
        if (!slot->complete) byre__transport->cancel(&slot->req);
        all = complete(slot) && all;
    }
    list->first = NULL;
    return all;
}

/* Where a dead rank's message was to come to is left to MPI. */
void byre__am_ring_fini(void)
{
    bool posted = give_up(&ring.posted), late = give_up(&ring.late);
    ring.spent.first = NULL;
    while (ring.blocks != NULL && posted && late) {
        block_t *block = ring.blocks;
        ring.blocks = block->next;
        free_block(block);
    }
}
