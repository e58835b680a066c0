/* SPDX-License-Identifier: BSD-3-Clause */
/* wordfreq: what its files share.
 *
 *   wordfreq.c    the command line
 *   dispatcher.c  rank 0: deals out chunks, collects results; copes with deaths; prints
 *   worker.c      the other ranks
 *   reader.c      files to chunks
 *   words.c       chunks to words and how often they came; these as messages
 */
#ifndef WORDFREQ_H
#define WORDFREQ_H

#include <byre.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { WORK = 1, RESULTS, POPUPS }; /* ports */

/* ---- wordfreq.c: errors ------------------------------------------------------------------------ */

void complain(const char *what, const char *why);
/* What a small example does without memory, or without communication: it ends, and with it the job. */
void *or_die(void *memory);
void must(int error, const char *what);

/* ---- words.c: words and how often they came ---------------------------------------------------- */

typedef struct word {
    struct word *next; /* in its bucket */
    uint64_t count;
    uint32_t hash, length;
    char text[];
} word_t;

typedef struct table {
    word_t **buckets;
    size_t size; /* of buckets, a power of two */
    size_t words;
} table_t;

void table_init(table_t *table);
void table_fini(table_t *table);
/* A word is a run of the letters of ASCII; anything else separates words. */
bool is_letter(char c);
/* Folds the text to lower case in place. */
void count_words(table_t *table, char *text, size_t bytes);

/* A result as a message: the chunk's number, then (count, length, text) of each word. */
char *pack(const table_t *table, uint32_t chunk, size_t *bytes_out);
void unpack(table_t *table, const char *message, size_t bytes);

/* ---- reader.c ---------------------------------------------------------------------------------- */

typedef struct reader {
    char **files;
    int count, next; /* files[next] comes after the one that is open */
    FILE *file;
    size_t chunk_bytes;
    char *rest; /* the beginning of a word whose end has not been read */
    size_t rest_bytes;
    uint64_t bytes; /* read so far */
} reader_t;

/* All files are there and can be read: looked at before any work is done. */
bool files_are_fine(char **files, int count);
/* The next chunk, `room` bytes into memory from malloc; NULL at the end. No word is cut: a chunk ends
 * behind something that is no letter, or with its file; so one long word makes a long chunk. */
char *next_chunk(reader_t *reader, size_t room, size_t *bytes_out);

/* ---- worker.c, dispatcher.c -------------------------------------------------------------------- */

/* A chunk is its number, then text. An empty message is the end. */
int work(void);

void dispatch(char **files, int count, size_t chunk_bytes);
void report(size_t top, bool json);
void clean_up(void);
void dismiss_workers(void);

#endif
