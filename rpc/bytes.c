/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes that grow: doubling, so that appending is linear; exactly, when one piece is bigger than that. */
#include "marshal_wire.h"

#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 512 };

int byre__rpc_bytes_grow(byre__rpc_bytes_t *bytes, size_t more)
{
    if (more > PTRDIFF_MAX - bytes->used) return BYRE_ENOMEM;
    size_t needed = bytes->used + more;
    size_t room = bytes->room < FIRST_ROOM / 2 ? FIRST_ROOM : 2 * bytes->room;
    if (room < needed) room = needed;
    unsigned char *data = realloc(bytes->borrowed ? NULL : bytes->data, room);
    if (data == NULL) return BYRE_ENOMEM;
    if (bytes->borrowed && bytes->used > 0) memcpy(data, bytes->data, bytes->used);
    bytes->data = data;
    bytes->room = room;
    bytes->borrowed = false;
    return BYRE_OK;
}

void byre__rpc_bytes_free(byre__rpc_bytes_t *bytes)
{
    if (!bytes->borrowed) free(bytes->data);
    *bytes = (byre__rpc_bytes_t){ 0 };
}
