/* SPDX-License-Identifier: BSD-3-Clause */
/* Words and how often they came: a hash table, and its way through messages. */
#include "wordfreq.h"

#include <stdlib.h>
#include <string.h>

void table_init(table_t *table)
{
    table->size = 1024;
    table->words = 0;
    table->buckets = or_die(calloc(table->size, sizeof *table->buckets));
}

void table_fini(table_t *table)
{
    for (size_t i = 0; i < table->size; i++) {
        for (word_t *word = table->buckets[i], *next; word != NULL; word = next) {
            next = word->next;
            free(word);
        }
    }
    free(table->buckets);
}

static void table_grow(table_t *table)
{
    size_t size = table->size * 2;
    word_t **buckets = or_die(calloc(size, sizeof *buckets));
    for (size_t i = 0; i < table->size; i++) {
        for (word_t *word = table->buckets[i], *next; word != NULL; word = next) {
            next = word->next;
            word->next = buckets[word->hash & (size - 1)];
            buckets[word->hash & (size - 1)] = word;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->size = size;
}

/* `text` is in lower case. */
static void table_add(table_t *table, const char *text, uint32_t length, uint64_t count)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (uint32_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    word_t **bucket = &table->buckets[hash & (table->size - 1)];
    for (word_t *word = *bucket; word != NULL; word = word->next) {
        if (word->hash != hash || word->length != length) continue;
        if (memcmp(word->text, text, length) != 0) continue;
        word->count += count;
        return;
    }
    word_t *word = or_die(malloc(sizeof *word + length));
    word->next = *bucket;
    word->count = count;
    word->hash = hash;
    word->length = length;
    memcpy(word->text, text, length);
    *bucket = word;
    if (++table->words > table->size) table_grow(table);
}

bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

void count_words(table_t *table, char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t start = i;
        for (; i < bytes && is_letter(text[i]); i++) text[i] = (char)(text[i] | 0x20);
        if (i > start) table_add(table, text + start, (uint32_t)(i - start), 1);
        while (i < bytes && !is_letter(text[i])) i++;
    }
}

/* ---- as messages ------------------------------------------------------------------------------- */

static char *put(char *at, const void *from, size_t bytes)
{
    memcpy(at, from, bytes);
    return at + bytes;
}

static const char *get(const char *at, void *to, size_t bytes)
{
    memcpy(to, at, bytes);
    return at + bytes;
}

char *pack(const table_t *table, uint32_t chunk, size_t *bytes_out)
{
    size_t bytes = sizeof chunk;
    for (size_t i = 0; i < table->size; i++)
        for (const word_t *word = table->buckets[i]; word != NULL; word = word->next)
            bytes += sizeof word->count + sizeof word->length + word->length;
    char *message = or_die(malloc(bytes)), *at = put(message, &chunk, sizeof chunk);
    for (size_t i = 0; i < table->size; i++) {
        for (const word_t *word = table->buckets[i]; word != NULL; word = word->next) {
            at = put(at, &word->count, sizeof word->count);
            at = put(at, &word->length, sizeof word->length);
            at = put(at, word->text, word->length);
        }
    }
    *bytes_out = bytes;
    return message;
}

void unpack(table_t *table, const char *message, size_t bytes)
{
    const char *at = message + sizeof(uint32_t);
    while (at < message + bytes) {
        uint64_t count;
        uint32_t length;
        at = get(at, &count, sizeof count);
        at = get(at, &length, sizeof length);
        table_add(table, at, length, count);
        at += length;
    }
}
