/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of a call at the server: taken piece by piece, given back as a whole.
 *
 *   A1  Every piece is zero and aligned to 16.
 *   A2  No piece moves or is reused before byre__rpc_arena_free: what the procedure unlinks is still there
 *       when the reply is packed.
 *
 * Chunks double up to CHUNK_MAX. A piece that is too big for that has a chunk of its own, behind the
 * current one, whose rest stays in use.
 */
#include "arena.h"
#include "pages.h"

#include <stdint.h>

enum { GRAIN = BYRE__RPC_GRAIN, CHUNK_MIN = 1024, CHUNK_MAX = 4 << 20 };

_Static_assert(sizeof(struct byre__rpc_arena) <= 2 * GRAIN, "head of a chunk");
enum { HEAD = 2 * GRAIN };

static byre__rpc_arena_t *chunk(size_t room)
{
    byre__rpc_arena_t *made = byre__rpc_pages_alloc(room);
    if (made == NULL) return NULL;
    made->used = HEAD;
    made->room = room;
    return made;
}

static void *take(byre__rpc_arena_t *from, size_t bytes)
{
    void *piece = (unsigned char *)from + from->used;
    from->used += bytes;
    return piece;
}

static void *take_own_chunk(byre__rpc_arena_t *current, size_t bytes)
{
    byre__rpc_arena_t *own = chunk(HEAD + bytes);
    if (own == NULL) return NULL;
    own->next = current->next;
    current->next = own;
    return take(own, bytes);
}

static byre__rpc_arena_t *next_chunk(byre__rpc_arena_t *current, size_t bytes)
{
    size_t room = current == NULL ? CHUNK_MIN : 2 * current->room;
    if (room > CHUNK_MAX) room = CHUNK_MAX;
    if (room < HEAD + bytes) room = HEAD + bytes;
    byre__rpc_arena_t *made = chunk(room);
    if (made != NULL) made->next = current;
    return made;
}

void *byre__rpc_arena_alloc(byre__rpc_arena_t **arena, size_t bytes)
{
    if (bytes > PTRDIFF_MAX - HEAD - GRAIN) return NULL;
    bytes = bytes == 0 ? GRAIN : (bytes + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    byre__rpc_arena_t *current = *arena;
    if (current != NULL && bytes <= current->room - current->used) return take(current, bytes);
    if (current != NULL && bytes > CHUNK_MAX / 4) return take_own_chunk(current, bytes);
    byre__rpc_arena_t *made = next_chunk(current, bytes);
    if (made == NULL) return NULL;
    *arena = made;
    return take(made, bytes);
}

void byre__rpc_arena_free(byre__rpc_arena_t *arena)
{
    while (arena != NULL) {
        byre__rpc_arena_t *next = arena->next;
        byre__rpc_pages_free(arena, arena->room, arena->used);
        arena = next;
    }
}
