/* SPDX-License-Identifier: BSD-3-Clause */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGN = 16 };

struct gen_block {
    struct gen_block *next;
    size_t used, room;
};

static void *need(void *memory)
{
    if (memory != NULL) return memory;
    fputs("byre-rpcgen: no memory\n", stderr);
    exit(1);
}

static unsigned char *storage(struct gen_block *block)
{
    return (unsigned char *)block + ((sizeof *block + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

void *gen_alloc(gen_arena_t *arena, size_t bytes)
{
    struct gen_block *block = arena->blocks;
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (block == NULL || block->room - block->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        block = need(calloc(1, sizeof *block + ALIGN + room));
        block->room = room;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = storage(block) + block->used;
    block->used += bytes;
    return memory;
}

char *gen_copy(gen_arena_t *arena, const char *text, size_t bytes)
{
    char *copy = gen_alloc(arena, bytes + 1);
    if (bytes > 0) memcpy(copy, text, bytes);
    return copy;
}

char *gen_vformat(gen_arena_t *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = gen_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

char *gen_format(gen_arena_t *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = gen_vformat(arena, format, args);
    va_end(args);
    return text;
}

void gen_arena_free(gen_arena_t *arena)
{
    while (arena->blocks != NULL) {
        struct gen_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

void gen_vput(gen_buffer_t *buffer, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t length = (size_t)vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (buffer->room - buffer->used < length + 1) {
        buffer->room = (buffer->room + length + 1) * 2;
        buffer->text = need(realloc(buffer->text, buffer->room));
    }
    vsnprintf(buffer->text + buffer->used, length + 1, format, args);
    buffer->used += length;
}

void gen_put(gen_buffer_t *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    gen_vput(buffer, format, args);
    va_end(args);
}

void gen_buffer_free(gen_buffer_t *buffer)
{
    free(buffer->text);
    *buffer = (gen_buffer_t){ 0 };
}
