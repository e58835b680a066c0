/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue of a mailbox: bounded, with priorities and a policy for when it is full. Pure: no locks,
 * no memory, no messages; whoever uses it embeds an item and keeps what belongs to it.
 *
 * Putting takes two steps, because a long message claims its place before its bytes have come:
 * reserve a place, then put into it (or give the place back).
 */
#ifndef BYRE__MAILBOX_QUEUE_H
#define BYRE__MAILBOX_QUEUE_H

#include <byre_runtime.h>
#include <stdbool.h>
#include <stddef.h>

enum { BYRE__MAILBOX_PRIORITIES = 8 };

typedef struct byre__mq_item {
    struct byre__mq_item *next; /* the queue's while the item is in it */
    int priority;               /* 0 ... BYRE__MAILBOX_PRIORITIES - 1 */
} byre__mq_item_t;

typedef struct byre__mq {
    struct {
        byre__mq_item_t *first, *last;
    } lines[BYRE__MAILBOX_PRIORITIES];
    unsigned used;   /* bit p: line p is not empty */
    size_t count;    /* items in all lines */
    size_t reserved; /* places claimed and not yet filled */
    size_t capacity;
    byre_overflow_t policy;
} byre__mq_t;

void byre__mq_init(byre__mq_t *queue, size_t capacity, byre_overflow_t policy);

/* Claim a place. False: full. Always true under drop-oldest, where the place is made by putting. */
bool byre__mq_reserve(byre__mq_t *queue);
void byre__mq_unreserve(byre__mq_t *queue);

/* Put an item into a place that was reserved, behind those of its priority. Returns the item that
 * was dropped for it, which may be the item itself, or NULL. */
byre__mq_item_t *byre__mq_put(byre__mq_t *queue, byre__mq_item_t *item);

/* The first item of the highest priority, or NULL; take removes it. */
byre__mq_item_t *byre__mq_first(const byre__mq_t *queue);
byre__mq_item_t *byre__mq_take(byre__mq_t *queue);

/* Undo a take: the item becomes the first of its priority, whether there is room or not. */
void byre__mq_put_back(byre__mq_t *queue, byre__mq_item_t *item);

#endif
