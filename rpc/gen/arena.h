/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that lives as long as a run of the compiler, and text that grows. */
#ifndef BYRE_GEN_ARENA_H
#define BYRE_GEN_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct gen_arena {
    struct gen_block *blocks;
} gen_arena_t;

/* Zeroed. Ends the program when there is no memory. */
void *gen_alloc(gen_arena_t *arena, size_t bytes);
#define GEN_NEW(arena, type) ((type *)gen_alloc((arena), sizeof(type)))
char *gen_copy(gen_arena_t *arena, const char *text, size_t bytes);
char *gen_format(gen_arena_t *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *gen_vformat(gen_arena_t *arena, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void gen_arena_free(gen_arena_t *arena);

/* Text that grows; zero is empty; `text` is NUL-terminated once something was put in. */
typedef struct gen_buffer {
    char *text;
    size_t used, room;
} gen_buffer_t;

void gen_put(gen_buffer_t *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gen_vput(gen_buffer_t *buffer, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void gen_buffer_free(gen_buffer_t *buffer);

#endif
