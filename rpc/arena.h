/* SPDX-License-Identifier: BSD-3-Clause */
/* The hot path of an arena: described in arena.c. */
#ifndef BYRE__RPC_ARENA_H
#define BYRE__RPC_ARENA_H

#include "marshal.h"

enum { BYRE__RPC_GRAIN = 16 };

struct byre__rpc_arena { /* head of a chunk */
    struct byre__rpc_arena *next;
    size_t used, room; /* of this chunk, head included */
};

/* byre__rpc_arena_alloc of a small size that is not 0. */
static inline void *byre__rpc_arena_take(byre__rpc_arena_t **arena, size_t bytes)
{
    byre__rpc_arena_t *current = *arena;
    bytes = (bytes + BYRE__RPC_GRAIN - 1) & ~(size_t)(BYRE__RPC_GRAIN - 1);
    if (__builtin_expect(current == NULL || bytes > current->room - current->used, 0))
        return byre__rpc_arena_alloc(arena, bytes);
    void *piece = (unsigned char *)current + current->used;
    current->used += bytes;
    return piece;
}

#endif
