/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pack.h - values as bytes: what daemons, keepers and clients say to each other, and what the ledger keeps.
 *
 * Numbers are little-endian, strings are a length (u32) and bytes. Writing never fails half-way: a packer
 * that runs out of memory stays in error and drops what follows. Reading likewise: past the end, or with a
 * length that cannot be, the unpacker stays in error and gives zeros and empty strings, so that the one
 * check at the end (byre__unpack_done) is enough.
 */
#ifndef BYRE__SCHED_PACK_H
#define BYRE__SCHED_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct byre__pack {
    uint8_t *data; /* malloc'ed; byre__pack_fini frees it */
    size_t bytes, room;
    bool failed;
} byre__pack_t;

void byre__pack_fini(byre__pack_t *pack);
void byre__pack_clear(byre__pack_t *pack); /* empty; keeps its memory */
void byre__pack_raw(byre__pack_t *pack, const void *data, size_t bytes);
void byre__pack_u8(byre__pack_t *pack, uint8_t value);
void byre__pack_u32(byre__pack_t *pack, uint32_t value);
void byre__pack_u64(byre__pack_t *pack, uint64_t value);
void byre__pack_f64(byre__pack_t *pack, double value);
void byre__pack_bytes(byre__pack_t *pack, const void *data, size_t bytes);
void byre__pack_text(byre__pack_t *pack, const char *text);    /* NULL as "" */
void byre__pack_texts(byre__pack_t *pack, char *const *texts); /* until NULL */

typedef struct byre__unpack {
    const uint8_t *at, *end;
    bool failed;
} byre__unpack_t;

static inline byre__unpack_t byre__unpack_of(const void *data, size_t bytes)
{
    return (byre__unpack_t){ data, (const uint8_t *)data + bytes, false };
}
uint8_t byre__unpack_u8(byre__unpack_t *unpack);
uint32_t byre__unpack_u32(byre__unpack_t *unpack);
uint64_t byre__unpack_u64(byre__unpack_t *unpack);
double byre__unpack_f64(byre__unpack_t *unpack);
/* Borrowed: points into what is unpacked. */
const void *byre__unpack_bytes(byre__unpack_t *unpack, size_t *bytes_out);
/* malloc'ed; NULL only after an error (no memory, or a zero byte inside). */
char *byre__unpack_text(byre__unpack_t *unpack);
/* Into a buffer of the caller's; too long a text is an error. */
void byre__unpack_text_into(byre__unpack_t *unpack, char *text_out, size_t room_bytes);
/* One block for pointers and texts: free() it. NULL after an error. */
char **byre__unpack_texts(byre__unpack_t *unpack);
/* Was everything right, and nothing left over? */
bool byre__unpack_done(const byre__unpack_t *unpack);

#endif
