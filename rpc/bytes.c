/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that grow: doubling, so that appending is linear; exactly, when one piece is bigger than that. */
#include "marshal_wire.h"
#include "pages.h"

#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 512 };

static void *enlarge(const byre__rpc_bytes_t *bytes, size_t room)
{
    if (room < BYRE__RPC_KEPT_FROM && !bytes->borrowed) return realloc(bytes->data, room);
    void *data = byre__rpc_pages_alloc_dirty(room);
    if (data == NULL) return NULL;
    if (bytes->used > 0) memcpy(data, bytes->data, bytes->used);
    if (!bytes->borrowed) byre__rpc_pages_free(bytes->data, bytes->room, bytes->room);
    return data;
}

int byre__rpc_bytes_grow(byre__rpc_bytes_t *bytes, size_t more)
{
    if (more > PTRDIFF_MAX / 2 - bytes->used) return BYRE_ENOMEM;
    size_t needed = bytes->used + more;
    size_t room = bytes->room < FIRST_ROOM / 2 ? FIRST_ROOM : 2 * bytes->room;
    if (room >= BYRE__RPC_HUGE) room *= 2; /* what is not touched costs nothing */
    if (room < needed) room = needed;
    unsigned char *data = enlarge(bytes, room);
    if (data == NULL) return BYRE_ENOMEM;
    bytes->data = data;
    bytes->room = room;
    bytes->borrowed = false;
    return BYRE_OK;
}

void byre__rpc_bytes_free(byre__rpc_bytes_t *bytes)
{
    if (!bytes->borrowed) byre__rpc_pages_free(bytes->data, bytes->room, bytes->room);
    *bytes = (byre__rpc_bytes_t){ 0 };
}
