/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * context.c - contexts (directory, environment, limits) by key, counted.
 *
 * Jobs and clients hold references. A peer is told a context before the first job that uses it, and keeps it
 * until we say CONTEXT_FREE: it holds a reference of its own for each home that told it. The keeper
 * is told likewise.
 */
#include <stdlib.h>
#include <string.h>

#include "sched/daemon/context.h"
#include "sched/daemon/daemon.h"
#include "sched/daemon/keeper_link.h"
#include "sched/daemon/peer.h"
#include "sched/daemon/wire.h"

enum { BUCKETS = 1024 };
static context_t **buckets;
static size_t rank_words;

bool context_open(void)
{
    buckets = calloc(BUCKETS, sizeof *buckets);
    rank_words = (size_t)(peer_count() + 63) / 64;
    return buckets != NULL;
}

static context_t **slot_of(byre__context_key_t key)
{
    context_t **at = &buckets[key.a % BUCKETS];

    while (*at != NULL && ((*at)->key.a != key.a || (*at)->key.b != key.b)) {
        at = &(*at)->chain;
    }
    return at;
}

context_t *context_find(byre__context_key_t key)
{
    return *slot_of(key);
}

context_t *context_take(const void *packed, size_t bytes)
{
    byre__context_key_t key = byre__context_key(packed, bytes);
    context_t **at = slot_of(key);
    context_t *context = *at;

    if (context != NULL) {
        return context_get(context);
    }
    context = calloc(1, sizeof *context + 2 * rank_words * sizeof(uint64_t));
    if (context == NULL || (context->packed = malloc(bytes != 0 ? bytes : 1)) == NULL) {
        free(context);
        return NULL;
    }
    context->told = (uint64_t *)(context + 1);
    context->held = context->told + rank_words;
    memcpy(context->packed, packed, bytes);
    context->bytes = (uint32_t)bytes;
    context->key = key;
    context->refs = 1;
    *at = context;
    return context;
}

context_t *context_get(context_t *context)
{
    context->refs++;
    return context;
}

static bool bit(const uint64_t *set, int rank)
{
    return (set[rank / 64] >> (rank % 64) & 1) != 0;
}

static void bit_set(uint64_t *set, int rank)
{
    set[rank / 64] |= UINT64_C(1) << (rank % 64);
}

static void bit_clear(uint64_t *set, int rank)
{
    set[rank / 64] &= ~(UINT64_C(1) << (rank % 64));
}

static void tell_freed(const context_t *context)
{
    byre__pack_t pack = { 0 };

    byre__pack_u64(&pack, context->key.a);
    byre__pack_u64(&pack, context->key.b);
    for (int rank = 0; rank < peer_count(); rank++) {
        if (bit(context->told, rank) && peer_alive(rank)) {
            wire_send(rank, WIRE_CONTEXT_FREE, 0, &pack);
        }
    }
    if (context->in_keeper) {
        keeper_free_context(context->key);
    }
    byre__pack_fini(&pack);
}

void context_drop(context_t *context)
{
    if (context == NULL || --context->refs != 0) {
        return;
    }
    tell_freed(context);
    *slot_of(context->key) = context->chain;
    free(context->packed);
    free(context);
}

void context_to_ledger(context_t *context)
{
    if (!context->in_ledger &&
        ledger_put_context(byred.ledger, context->key, context->packed, context->bytes) == 0) {
        context->in_ledger = true;
    }
}

void context_to_keeper(context_t *context)
{
    if (!context->in_keeper) {
        context->in_keeper = keeper_put_context(context->key, context->packed, context->bytes);
    }
}

void context_to_peer(context_t *context, int rank)
{
    if (!bit(context->told, rank)) {
        if (peer_send(rank, WIRE_CONTEXT, 0, NULL, context->packed, context->bytes) == 0) {
            bit_set(context->told, rank);
        }
    }
}

void context_from_peer(int rank, const void *packed, size_t bytes)
{
    context_t *context = context_take(packed, bytes);

    if (context != NULL && bit(context->held, rank)) {
        context_drop(context);
    } else if (context != NULL) {
        bit_set(context->held, rank);
    }
}

void context_freed_by_peer(int rank, byre__context_key_t key)
{
    context_t *context = context_find(key);

    if (context != NULL && bit(context->held, rank)) {
        bit_clear(context->held, rank);
        context_drop(context);
    }
}

static void each(void (*fn)(context_t *context, int rank), int rank)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (context_t *at = buckets[i], *next; at != NULL; at = next) {
            next = at->chain;
            fn(at, rank);
        }
    }
}

static void forget_peer(context_t *context, int rank)
{
    bit_clear(context->told, rank);
    if (bit(context->held, rank)) {
        bit_clear(context->held, rank);
        context_drop(context);
    }
}

static void forget_keeper(context_t *context, int rank)
{
    (void)rank;
    context->in_keeper = false;
}

static void forget_ledger(context_t *context, int rank)
{
    (void)rank;
    context->in_ledger = false;
}

void context_peer_gone(int rank)
{
    each(forget_peer, rank);
}

void context_keeper_gone(void)
{
    each(forget_keeper, 0);
}

void context_ledger_pruned(void)
{
    each(forget_ledger, 0);
}
