/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bounded priority queue of a mailbox: one line for each priority, first in first out.
 *
 * Invariants
 *  1. Block and refuse: reserve succeeds only while count + reserved < capacity, so count exceeds
 *     capacity by at most the number of items that were put back.
 *  2. Drop-oldest: put never makes count grow beyond max(capacity, count before).
 *  3. What drop-oldest drops is the oldest item of the lowest priority among those queued and the
 *     new one; so the new one is dropped only if all that is queued has a higher priority.
 *  4. Bit p of `used` is set exactly when line p is not empty.
 */
#include "mailbox_queue.h"

#include "log.h"

void byre__mq_init(byre__mq_t *queue, size_t capacity, byre_overflow_t policy)
{
    *queue = (byre__mq_t){ .capacity = capacity, .policy = policy };
}

bool byre__mq_reserve(byre__mq_t *queue)
{
    bool room = queue->count + queue->reserved < queue->capacity;
    if (!room && queue->policy != BYRE_OVERFLOW_DROP_OLDEST) return false;
    queue->reserved++;
    return true;
}

void byre__mq_unreserve(byre__mq_t *queue)
{
    BYRE__ASSERT(queue->reserved > 0);
    queue->reserved--;
}

static void append(byre__mq_t *queue, byre__mq_item_t *item)
{
    int p = item->priority;
    item->next = NULL;
    if (queue->used & 1u << p)
        queue->lines[p].last->next = item;
    else
        queue->lines[p].first = item;
    queue->lines[p].last = item;
    queue->used |= 1u << p;
    queue->count++;
}

static byre__mq_item_t *take_from(byre__mq_t *queue, int p)
{
    byre__mq_item_t *item = queue->lines[p].first;
    queue->lines[p].first = item->next;
    if (item->next == NULL) queue->used &= ~(1u << p);
    item->next = NULL;
    queue->count--;
    return item;
}

byre__mq_item_t *byre__mq_put(byre__mq_t *queue, byre__mq_item_t *item)
{
    byre__mq_item_t *dropped = NULL;
    byre__mq_unreserve(queue);
    if (queue->policy == BYRE_OVERFLOW_DROP_OLDEST && queue->count >= queue->capacity) {
        int lowest = __builtin_ctz(queue->used);
        if (item->priority < lowest) return item; /* invariant 3 */
        dropped = take_from(queue, lowest);
    }
    append(queue, item);
    return dropped;
}

static int highest(const byre__mq_t *queue)
{
    return 31 - __builtin_clz(queue->used);
}

byre__mq_item_t *byre__mq_first(const byre__mq_t *queue)
{
    return queue->used == 0 ? NULL : queue->lines[highest(queue)].first;
}

byre__mq_item_t *byre__mq_take(byre__mq_t *queue)
{
    return queue->used == 0 ? NULL : take_from(queue, highest(queue));
}

void byre__mq_put_back(byre__mq_t *queue, byre__mq_item_t *item)
{
    int p = item->priority;
    if ((queue->used & 1u << p) == 0) {
        append(queue, item);
        return;
    }
    item->next = queue->lines[p].first;
    queue->lines[p].first = item;
    queue->count++;
}
