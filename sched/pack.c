/* SPDX-License-Identifier: BSD-3-Clause */
/* pack.c - see pack.h. */
#include "sched/pack.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing -------------------------------------------------------------------------------------- */

void byre__pack_fini(byre__pack_t *pack)
{
    free(pack->data);
    *pack = (byre__pack_t){ 0 };
}

void byre__pack_clear(byre__pack_t *pack)
{
    pack->bytes = 0;
    pack->failed = false;
}

static uint8_t *more(byre__pack_t *pack, size_t bytes)
{
    if (pack->failed) return NULL;
    if (pack->room - pack->bytes < bytes) {
        size_t room = pack->room < 64 ? 64 : pack->room;
        while (room - pack->bytes < bytes && room <= SIZE_MAX / 2) room *= 2;
        uint8_t *data = room - pack->bytes < bytes ? NULL : realloc(pack->data, room);
        if (data == NULL) {
            pack->failed = true;
            return NULL;
        }
        pack->data = data;
        pack->room = room;
    }
    uint8_t *at = pack->data + pack->bytes;
    pack->bytes += bytes;
    return at;
}

void byre__pack_raw(byre__pack_t *pack, const void *data, size_t bytes)
{
    if (bytes == 0) return;
    uint8_t *at = more(pack, bytes);
    if (at != NULL) memcpy(at, data, bytes);
}

static void put_number(byre__pack_t *pack, uint64_t value, size_t bytes)
{
    uint8_t *at = more(pack, bytes);
    for (size_t i = 0; at != NULL && i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}

void byre__pack_u8(byre__pack_t *pack, uint8_t value)
{
    put_number(pack, value, 1);
}

void byre__pack_u32(byre__pack_t *pack, uint32_t value)
{
    put_number(pack, value, 4);
}

void byre__pack_u64(byre__pack_t *pack, uint64_t value)
{
    put_number(pack, value, 8);
}

void byre__pack_f64(byre__pack_t *pack, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(pack, bits, 8);
}

void byre__pack_bytes(byre__pack_t *pack, const void *data, size_t bytes)
{
    if (bytes > UINT32_MAX) {
        pack->failed = true;
        return;
    }
    byre__pack_u32(pack, (uint32_t)bytes);
    byre__pack_raw(pack, data, bytes);
}

void byre__pack_text(byre__pack_t *pack, const char *text)
{
    byre__pack_bytes(pack, text, text == NULL ? 0 : strlen(text));
}

void byre__pack_texts(byre__pack_t *pack, char *const *texts)
{
    uint32_t count = 0;
    while (texts != NULL && texts[count] != NULL) count++;
    byre__pack_u32(pack, count);
    for (uint32_t i = 0; i < count; i++) byre__pack_text(pack, texts[i]);
}

/* ---- reading -------------------------------------------------------------------------------------- */

static const uint8_t *take(byre__unpack_t *unpack, size_t bytes)
{
    if (unpack->failed || (size_t)(unpack->end - unpack->at) < bytes) {
        unpack->failed = true;
        return NULL;
    }
    const uint8_t *at = unpack->at;
    unpack->at += bytes;
    return at;
}

static uint64_t get_number(byre__unpack_t *unpack, size_t bytes)
{
    const uint8_t *at = take(unpack, bytes);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < bytes; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

uint8_t byre__unpack_u8(byre__unpack_t *unpack)
{
    return (uint8_t)get_number(unpack, 1);
}

uint32_t byre__unpack_u32(byre__unpack_t *unpack)
{
    return (uint32_t)get_number(unpack, 4);
}

uint64_t byre__unpack_u64(byre__unpack_t *unpack)
{
    return get_number(unpack, 8);
}

double byre__unpack_f64(byre__unpack_t *unpack)
{
    uint64_t bits = get_number(unpack, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const void *byre__unpack_bytes(byre__unpack_t *unpack, size_t *bytes_out)
{
    size_t bytes = byre__unpack_u32(unpack);
    const void *at = take(unpack, bytes);
    *bytes_out = at == NULL ? 0 : bytes;
    return at;
}

static const void *text_bytes(byre__unpack_t *unpack, size_t *bytes_out)
{
    const void *at = byre__unpack_bytes(unpack, bytes_out);
    if (at != NULL && memchr(at, 0, *bytes_out) != NULL) {
        unpack->failed = true;
        *bytes_out = 0;
        return NULL;
    }
    return at;
}

char *byre__unpack_text(byre__unpack_t *unpack)
{
    size_t bytes;
    const void *at = text_bytes(unpack, &bytes);
    char *text = at == NULL ? NULL : malloc(bytes + 1);
    if (text == NULL) {
        unpack->failed = true;
        return NULL;
    }
    memcpy(text, at, bytes);
    text[bytes] = '\0';
    return text;
}

void byre__unpack_text_into(byre__unpack_t *unpack, char *text_out, size_t room_bytes)
{
    size_t bytes;
    const void *at = text_bytes(unpack, &bytes);
    if (at == NULL || bytes >= room_bytes) {
        unpack->failed = true;
        text_out[0] = '\0';
        return;
    }
    memcpy(text_out, at, bytes);
    text_out[bytes] = '\0';
}

/* Twice over the same bytes: the first time to count them. */
char **byre__unpack_texts(byre__unpack_t *unpack)
{
    uint32_t count = byre__unpack_u32(unpack);
    byre__unpack_t ahead = *unpack;
    size_t bytes, total = 0;
    for (uint32_t i = 0; i < count && !ahead.failed; i++) {
        (void)text_bytes(&ahead, &bytes);
        total += bytes + 1;
    }
    char **texts = NULL;
    if (!ahead.failed) texts = malloc(((size_t)count + 1) * sizeof *texts + total);
    if (texts == NULL) {
        unpack->failed = true;
        return NULL;
    }
    char *room = (char *)(texts + count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const void *at = text_bytes(unpack, &bytes);
        memcpy(room, at, bytes);
        room[bytes] = '\0';
        texts[i] = room;
        room += bytes + 1;
    }
    texts[count] = NULL;
    return texts;
}

bool byre__unpack_done(const byre__unpack_t *unpack)
{
    return !unpack->failed && unpack->at == unpack->end;
}
