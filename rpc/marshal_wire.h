/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers and runs of bytes in a message.
 *
 *   W1  Everything is aligned naturally, relative to the start of the message; gaps are zero.
 *   W2  A message is in the byte order of its writer and says which; the reader swaps if it must.
 *   W3  A reader never looks beyond `end`; a writer never writes beyond `room`.
 */
#ifndef BYRE__RPC_MARSHAL_WIRE_H
#define BYRE__RPC_MARSHAL_WIRE_H

#include "marshal.h"

#include <byre_errors.h>
#include <stdint.h>
#include <string.h>

enum {
    BYRE__RPC_WIRE_VERSION = 1,
    BYRE__RPC_WIRE_LITTLE = 0,
    BYRE__RPC_WIRE_BIG = 1,
    BYRE__RPC_WIRE_NATIVE =
        __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? BYRE__RPC_WIRE_LITTLE : BYRE__RPC_WIRE_BIG,
    BYRE__RPC_WIRE_CALL = 0x43, /* what the message is */
    BYRE__RPC_WIRE_REPLY = 0x52,
    BYRE__RPC_WIRE_RANGED = 1, /* references have an offset: marshal_pack.c */
    BYRE__RPC_WIRE_HEAD = 4    /* version, order, what, flags: a byte each */
};

int byre__rpc_bytes_grow(byre__rpc_bytes_t *bytes, size_t more);

static inline void byre__rpc_swap(void *place, size_t size)
{
    switch (size) {
    case 2: {
        uint16_t x;
        memcpy(&x, place, 2);
        x = __builtin_bswap16(x);
        memcpy(place, &x, 2);
        break;
    }
    case 4: {
        uint32_t x;
        memcpy(&x, place, 4);
        x = __builtin_bswap32(x);
        memcpy(place, &x, 4);
        break;
    }
    case 8: {
        uint64_t x;
        memcpy(&x, place, 8);
        x = __builtin_bswap64(x);
        memcpy(place, &x, 8);
        break;
    }
    default:
        break;
    }
}

/* ---- writing ----------------------------------------------------------------------------------- */

typedef struct byre__rpc_out {
    byre__rpc_bytes_t *bytes;
    size_t base; /* where the message starts */
    bool swap;
} byre__rpc_out_t;

/* Room for `size` bytes, aligned; NULL: no memory. */
static inline unsigned char *byre__rpc_put(byre__rpc_out_t *out, size_t size, size_t align)
{
    byre__rpc_bytes_t *bytes = out->bytes;
    size_t gap = (0 - (bytes->used - out->base)) & (align - 1);
    if (__builtin_expect(gap + size < size || gap + size > bytes->room - bytes->used, 0)) {
        if (gap + size < size || byre__rpc_bytes_grow(bytes, gap + size) != BYRE_OK) return NULL;
    }
    unsigned char *place = bytes->data + bytes->used;
    if (gap != 0) memset(place, 0, gap);
    bytes->used += gap + size;
    return place + gap;
}

static inline int byre__rpc_put_raw(byre__rpc_out_t *out, const void *from, size_t size,
                                    size_t align)
{
    unsigned char *place = byre__rpc_put(out, size, align);
    if (place == NULL) return BYRE_ENOMEM;
    if (size > 0) memcpy(place, from, size);
    return BYRE_OK;
}

static inline int byre__rpc_put_number(byre__rpc_out_t *out, const void *from, size_t size)
{
    unsigned char *place = byre__rpc_put(out, size, size);
    if (place == NULL) return BYRE_ENOMEM;
    switch (size) {
    case 1:
        memcpy(place, from, 1);
        break;
    case 2:
        memcpy(place, from, 2);
        break;
    case 4:
        memcpy(place, from, 4);
        break;
    default:
        memcpy(place, from, 8);
        break;
    }
    if (__builtin_expect(out->swap, 0)) byre__rpc_swap(place, size);
    return BYRE_OK;
}

static inline int byre__rpc_put_u32(byre__rpc_out_t *out, uint32_t value)
{
    return byre__rpc_put_number(out, &value, 4);
}

static inline int byre__rpc_put_u64(byre__rpc_out_t *out, uint64_t value)
{
    return byre__rpc_put_number(out, &value, 8);
}

/* ---- reading ----------------------------------------------------------------------------------- */

typedef struct byre__rpc_in {
    const unsigned char *data;
    size_t used, end;
    bool swap;
} byre__rpc_in_t;

/* The next `size` bytes, aligned; NULL: the message ends before. */
static inline const unsigned char *byre__rpc_get(byre__rpc_in_t *in, size_t size, size_t align)
{
    size_t gap = (0 - in->used) & (align - 1);
    size_t left = in->end - in->used;
    if (__builtin_expect(gap > left || size > left - gap, 0)) return NULL;
    const unsigned char *place = in->data + in->used + gap;
    in->used += gap + size;
    return place;
}

static inline int byre__rpc_get_number(byre__rpc_in_t *in, void *to, size_t size)
{
    const unsigned char *place = byre__rpc_get(in, size, size);
    if (place == NULL) return BYRE_EPROTO;
    switch (size) {
    case 1:
        memcpy(to, place, 1);
        break;
    case 2:
        memcpy(to, place, 2);
        break;
    case 4:
        memcpy(to, place, 4);
        break;
    default:
        memcpy(to, place, 8);
        break;
    }
    if (__builtin_expect(in->swap, 0)) byre__rpc_swap(to, size);
    return BYRE_OK;
}

static inline int byre__rpc_get_u32(byre__rpc_in_t *in, uint32_t *value_out)
{
    return byre__rpc_get_number(in, value_out, 4);
}

static inline int byre__rpc_get_u64(byre__rpc_in_t *in, uint64_t *value_out)
{
    return byre__rpc_get_number(in, value_out, 8);
}

#endif
