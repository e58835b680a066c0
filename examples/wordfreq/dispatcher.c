/* SPDX-License-Identifier: BSD-3-Clause */
/* The dispatcher: deals out chunks and collects results; wordfreq.c draws how. */
#include "wordfreq.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 2 }; /* chunks that a worker has at most */

typedef struct chunk {
    char *message; /* its number, then text; NULL when it is finished */
    size_t bytes;
    byre_request_t sending;
    int worker; /* that has it, or -1 */
    bool merged;
} chunk_t;

static struct {
    reader_t reader;
    int ranks;
    int *in_flight; /* [ranks] */
    bool *dead;     /* [ranks] */
    int lost;       /* workers that died */
    uint32_t chunks, room, unfinished;
    uint32_t again; /* chunks that lost their worker: to be dealt out again */

    pthread_mutex_t lock; /* guards what the pop-up threads touch: */
    chunk_t *list;        /* [chunks] */
    table_t totals;
} job = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Once only: a chunk that was dealt out again may get two results. */
static void merge(const char *message, size_t bytes)
{
    uint32_t number;
    memcpy(&number, message, sizeof number);
    pthread_mutex_lock(&job.lock);
    if (!job.list[number].merged) unpack(&job.totals, message, bytes);
    job.list[number].merged = true;
    pthread_mutex_unlock(&job.lock);
}

/* A thread of its own for each result of an odd chunk. The bookkeeping is the main thread's: it gets
 * the number. */
static void popup(void *message, const byre_info_t *info, void *arg)
{
    (void)arg;
    merge(message, info->bytes);
    must(byre_send((byre_addr_t){ 0, RESULTS }, message, sizeof(uint32_t)), "byre_send");
}

/* Read one more; false when there is none. */
static bool new_chunk(uint32_t *number_out)
{
    uint32_t number = job.chunks;
    size_t bytes;
    char *message = next_chunk(&job.reader, sizeof number, &bytes);
    if (message == NULL) return false;
    memcpy(message, &number, sizeof number);
    pthread_mutex_lock(&job.lock);
    if (job.chunks == job.room) {
        job.room = job.room == 0 ? 64 : job.room * 2;
        job.list = or_die(realloc(job.list, job.room * sizeof *job.list));
    }
    job.list[job.chunks++] =
        (chunk_t){ .message = message, .bytes = sizeof number + bytes, .worker = -1 };
    pthread_mutex_unlock(&job.lock);
    job.unfinished++;
    *number_out = number;
    return true;
}

/* One that lost its worker, or else a new one. */
static bool take_chunk(uint32_t *number_out)
{
    for (uint32_t i = 0; job.again > 0 && i < job.chunks; i++) {
        if (job.list[i].message == NULL || job.list[i].worker >= 0) continue;
        job.again--;
        *number_out = i;
        return true;
    }
    return new_chunk(number_out);
}

static void finish(uint32_t number)
{
    chunk_t *chunk = &job.list[number];
    if (chunk->message == NULL) return; /* the second result of one that was dealt out again */
    (void)byre_wait(&chunk->sending, NULL);
    if (chunk->worker >= 0)
        job.in_flight[chunk->worker]--;
    else
        job.again--;
    free(chunk->message);
    chunk->message = NULL;
    job.unfinished--;
}

static void count_myself(uint32_t number)
{
    chunk_t *chunk = &job.list[number];
    chunk->worker = 0;
    job.in_flight[0]++;
    pthread_mutex_lock(&job.lock);
    if (!chunk->merged)
        count_words(&job.totals, chunk->message + sizeof number, chunk->bytes - sizeof number);
    chunk->merged = true;
    pthread_mutex_unlock(&job.lock);
    finish(number);
}

/* Some worker has died: its chunks go to others. */
static void bury(void)
{
    (void)byre_failures_ack();
    for (int r = 1; r < job.ranks; r++) {
        if (job.dead[r] || byre_peer_failed(r) != 1) continue;
        job.dead[r] = true;
        job.lost++;
        fprintf(stderr, "wordfreq: rank %d has died: its chunks go to others\n", r);
        for (uint32_t i = 0; i < job.chunks; i++) {
            chunk_t *chunk = &job.list[i];
            if (chunk->message == NULL || chunk->worker != r) continue;
            (void)byre_wait(&chunk->sending, NULL);
            chunk->worker = -1;
            job.again++;
        }
    }
}

/* Give the living what they can take. False when nothing is left to deal out. */
static bool deal(void)
{
    int living = 0;
    uint32_t number;
    for (int turn = 0; turn < IN_FLIGHT; turn++) {
        for (int r = 1; r < job.ranks; r++) {
            if (job.dead[r]) continue;
            living++;
            if (job.in_flight[r] > turn) continue;
            if (!take_chunk(&number)) return false;
            chunk_t *chunk = &job.list[number];
            int error = byre_isend((byre_addr_t){ r, WORK }, chunk->message, chunk->bytes, NULL,
                                   &chunk->sending);
            chunk->worker = error == BYRE_OK ? r : -1;
            if (error == BYRE_OK) {
                job.in_flight[r]++;
            } else {
                job.again++;
                if (error != BYRE_EPEER) must(error, "byre_isend");
                bury();
            }
        }
    }
    if (living > 0) return true;
    if (!take_chunk(&number)) return false;
    count_myself(number);
    return true;
}

/* Wait for something on RESULTS. A number alone is that of a chunk which a pop-up thread has merged.
 * A result does not fit and is kept: byre_get_message takes it, whatever its length. */
static void collect(void)
{
    uint32_t number;
    byre_info_t info;
    int error = byre_recv(RESULTS, BYRE_ANY, &number, sizeof number, &info);
    if (error == BYRE_EPEER) {
        bury();
        return;
    }
    if (error == BYRE_ETRUNC) {
        void *message;
        error = byre_get_message(RESULTS, info.source, &message, &info);
        if (error == BYRE_EPEER) return; /* the next receive tells */
        must(error, "byre_get_message");
        memcpy(&number, message, sizeof number);
        merge(message, info.bytes);
        free(message);
    }
    must(error, "byre_recv");
    finish(number);
}

void dismiss_workers(void)
{
    for (int r = 1; r < byre_size(); r++) (void)byre_send((byre_addr_t){ r, WORK }, NULL, 0);
}

void dispatch(char **files, int count, size_t chunk_bytes)
{
    job.ranks = byre_size();
    job.reader = (reader_t){ .files = files, .count = count, .chunk_bytes = chunk_bytes };
    job.in_flight = or_die(calloc((size_t)job.ranks, sizeof *job.in_flight));
    job.dead = or_die(calloc((size_t)job.ranks, sizeof *job.dead));
    table_init(&job.totals);
    must(byre_port_popup(POPUPS, popup, NULL), "byre_port_popup");
    bool more = true;
    while (more || job.unfinished > 0) {
        more = deal();
        bool idle = true;
        for (int r = 1; r < job.ranks; r++) idle = idle && (job.dead[r] || job.in_flight[r] == 0);
        if (!idle) collect();
    }
    must(byre_port_popup(POPUPS, NULL, NULL), "byre_port_popup");
    dismiss_workers();
}

void clean_up(void)
{
    table_fini(&job.totals);
    free(job.reader.rest);
    free(job.list);
    free(job.in_flight);
    free(job.dead);
}

/* ---- the report -------------------------------------------------------------------------------- */

static int by_frequency(const void *a, const void *b)
{
    const word_t *one = *(word_t *const *)a, *two = *(word_t *const *)b;
    if (one->count != two->count) return one->count < two->count ? 1 : -1;
    uint32_t common = one->length < two->length ? one->length : two->length;
    int order = memcmp(one->text, two->text, common);
    if (order != 0) return order;
    return one->length < two->length ? -1 : one->length > two->length;
}

void report(size_t top, bool json)
{
    size_t n = 0;
    uint64_t all = 0;
    word_t **words = or_die(malloc((job.totals.words + 1) * sizeof *words));
    for (size_t i = 0; i < job.totals.size; i++)
        for (word_t *word = job.totals.buckets[i]; word != NULL; word = word->next)
            words[n++] = word;
    for (size_t i = 0; i < n; i++) all += words[i]->count;
    qsort(words, n, sizeof(word_t *), by_frequency);
    if (top > n) top = n;
    if (json)
        printf("{\n  \"files\": %d,\n  \"bytes\": %" PRIu64 ",\n  \"words\": %" PRIu64
               ",\n  \"different\": %zu,\n  \"chunks\": %" PRIu32 ",\n  \"ranks\": %d,\n"
               "  \"ranks_lost\": %d,\n  \"top\": [",
               job.reader.count, job.reader.bytes, all, n, job.chunks, job.ranks, job.lost);
    for (size_t i = 0; i < top; i++) {
        if (json)
            printf("%s\n    {\"word\": \"%.*s\", \"count\": %" PRIu64 "}", i > 0 ? "," : "",
                   (int)words[i]->length, words[i]->text, words[i]->count);
        else
            printf("%7" PRIu64 " %.*s\n", words[i]->count, (int)words[i]->length, words[i]->text);
    }
    if (json) printf("%s]\n}\n", top > 0 ? "\n  " : "");
    free(words);
}
