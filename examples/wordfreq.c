/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wordfreq: the words of text files, most frequent first, counted by a dispatcher and its workers.
 *
 *   mpirun -n 4 wordfreq [--top N | --all] [--json] [--chunk BYTES] FILE...
 *
 * Rank 0, the dispatcher, reads the files, cuts them into chunks between words and deals the chunks out
 * with nonblocking sends, a few at a time to each worker; whoever returns a result gets the next
 * chunk. Results come back in two ways, to show both: those of even chunks are taken with
 * byre_get_message, those of odd ones make a thread pop up.
 *
 *                  WORK: chunks                              RESULTS: of even chunks, and the numbers
 *   dispatcher  ------------------> worker  --------------->          of odd chunks that are merged
 *                  (byre_isend)             (byre_send)      POPUPS: of odd chunks
 *
 * A chunk is kept until its result is there. When a worker dies (start with mpirun
 * --enable-recovery), its chunks are dealt out again; when the last has died, and in a cluster of
 * one, the dispatcher counts by itself.
 */
#include <byre.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WORK = 1, RESULTS, POPUPS }; /* ports */
enum { IN_FLIGHT = 2 };             /* chunks that a worker has at most */

/* ---- errors ------------------------------------------------------------------------------------ */

static void complain(const char *what, const char *why)
{
    fprintf(stderr, "wordfreq: %s: %s\n", what, why);
}

/* What a small example does without memory, or without communication: it ends, and with it the job. */
static void *or_die(void *memory)
{
    if (memory != NULL) return memory;
    complain("cannot go on", "out of memory");
    exit(1);
}

static void must(int error, const char *what)
{
    if (error == BYRE_OK) return;
    complain(what, byre_strerror(error));
    exit(1);
}

/* ---- words and how often they came ------------------------------------------------------------- */

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

static void table_init(table_t *table)
{
    table->size = 1024;
    table->words = 0;
    table->buckets = or_die(calloc(table->size, sizeof *table->buckets));
}

static void table_fini(table_t *table)
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

/* A word is a run of the letters of ASCII; anything else separates words. */
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Folds the text to lower case in place. */
static void count_words(table_t *table, char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t start = i;
        for (; i < bytes && is_letter(text[i]); i++) text[i] = (char)(text[i] | 0x20);
        if (i > start) table_add(table, text + start, (uint32_t)(i - start), 1);
        while (i < bytes && !is_letter(text[i])) i++;
    }
}

/* ---- results as messages: the chunk's number, then (count, length, text) of each word ---------- */

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

static char *pack(const table_t *table, uint32_t chunk, size_t *bytes_out)
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

static void unpack(table_t *table, const char *message, size_t bytes)
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

/* ---- the worker -------------------------------------------------------------------------------- */

/* A chunk is its number, then text. An empty message is the end. */
static int work(void)
{
    size_t room = 64 * 1024;
    char *buf = or_die(malloc(room));
    for (;;) {
        byre_info_t info;
        int error = byre_recv(WORK, 0, buf, room, &info);
        if (error == BYRE_ETRUNC) { /* it was kept: make room and take it */
            room = info.bytes;
            buf = or_die(realloc(buf, room));
            continue;
        }
        must(error, "the dispatcher is gone");
        if (info.bytes == 0) break;

        uint32_t chunk;
        table_t table;
        size_t bytes;
        memcpy(&chunk, buf, sizeof chunk);
        table_init(&table);
        count_words(&table, buf + sizeof chunk, info.bytes - sizeof chunk);
        char *result = pack(&table, chunk, &bytes);
        must(byre_send((byre_addr_t){ 0, chunk % 2 == 0 ? RESULTS : POPUPS }, result, bytes),
             "cannot return a result");
        free(result);
        table_fini(&table);
    }
    free(buf);
    return 0;
}

/* ---- reading ----------------------------------------------------------------------------------- */

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
static bool files_are_fine(char **files, int count)
{
    bool fine = true;
    for (int i = 0; i < count; i++) {
        struct stat status;
        FILE *file = fopen(files[i], "r");
        int error = file == NULL ? errno : 0;
        if (file != NULL) {
            if (fstat(fileno(file), &status) != 0)
                error = errno;
            else if (S_ISDIR(status.st_mode))
                error = EISDIR;
            fclose(file);
        }
        if (error != 0) complain(files[i], strerror(error));
        fine = fine && error == 0;
    }
    return fine;
}

/* Grow `text` by up to chunk_bytes of the open file. */
static char *read_more(reader_t *reader, char *text, size_t *bytes)
{
    text = or_die(realloc(text, *bytes + reader->chunk_bytes));
    size_t got = fread(text + *bytes, 1, reader->chunk_bytes, reader->file);
    if (ferror(reader->file)) {
        complain(reader->files[reader->next - 1], strerror(errno));
        exit(1);
    }
    *bytes += got;
    reader->bytes += got;
    if (feof(reader->file)) {
        fclose(reader->file);
        reader->file = NULL;
    }
    return text;
}

/* The next chunk, `room` bytes into memory from malloc; NULL at the end. No word is cut: a chunk ends
 * behind something that is no letter, or with its file; so one long word makes a long chunk. */
static char *next_chunk(reader_t *reader, size_t room, size_t *bytes_out)
{
    for (;;) {
        if (reader->file == NULL) {
            if (reader->next == reader->count) return NULL;
            reader->file = fopen(reader->files[reader->next++], "r");
            if (reader->file == NULL) {
                complain(reader->files[reader->next - 1], strerror(errno));
                exit(1);
            }
        }
        size_t bytes = room + reader->rest_bytes, end, searched;
        char *text = or_die(malloc(bytes + 1));
        if (reader->rest_bytes > 0) memcpy(text + room, reader->rest, reader->rest_bytes);
        reader->rest_bytes = 0;
        do {
            searched = bytes;
            text = read_more(reader, text, &bytes);
            for (end = bytes; reader->file != NULL && end > searched; end--)
                if (!is_letter(text[end - 1])) break;
        } while (reader->file != NULL && end == searched);
        reader->rest_bytes = bytes - end;
        reader->rest = or_die(realloc(reader->rest, reader->rest_bytes + 1));
        memcpy(reader->rest, text + end, reader->rest_bytes);
        *bytes_out = end - room;
        if (end > room) return text;
        free(text);
    }
}

/* ---- the dispatcher ---------------------------------------------------------------------------- */

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

static void dismiss_workers(void)
{
    for (int r = 1; r < job.ranks; r++) (void)byre_send((byre_addr_t){ r, WORK }, NULL, 0);
}

static void dispatch(char **files, int count, size_t chunk_bytes)
{
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

static void clean_up(void)
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

static void report(size_t top, bool json)
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

/* ---- the command line -------------------------------------------------------------------------- */

static const char usage[] =
    "Usage: mpirun -n RANKS wordfreq [OPTION]... FILE...\n"
    "Count the words of text files: runs of the letters A-Z and a-z, folded to lower case.\n"
    "\n"
    "  --top N        print the N most frequent words (default 10)\n"
    "  --all          print all words\n"
    "  --json         print JSON\n"
    "  --chunk BYTES  deal out pieces of about this size (default 32768)\n"
    "  --help         print this\n"
    "\n"
    "Rank 0 reads the files; the other ranks count. Start mpirun with --enable-recovery, and the\n"
    "death of a worker is survived.\n";

typedef struct options {
    size_t top, chunk_bytes;
    bool json, help;
} options_t;

static bool parse_number(const char *text, size_t least, size_t *number_out)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0 || end == text || text[0] == '-' || number < least ||
        number > (1ull << 30))
        return false;
    *number_out = (size_t)number;
    return true;
}

/* NULL, or what is wrong. */
static const char *parse(int argc, char **argv, options_t *options)
{
    static const struct option known[] = {
        { "top", required_argument, NULL, 't' }, { "all", no_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },      { "chunk", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },      { NULL, 0, NULL, 0 },
    };
    *options = (options_t){ .top = 10, .chunk_bytes = 32768 };
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 't':
            if (!parse_number(optarg, 0, &options->top)) return "--top wants a number";
            break;
        case 'a':
            options->top = SIZE_MAX;
            break;
        case 'j':
            options->json = true;
            break;
        case 'c':
            if (!parse_number(optarg, 1, &options->chunk_bytes))
                return "--chunk wants a number of bytes, 1 to 1073741824";
            break;
        case 'h':
            options->help = true;
            break;
        default:
            return "unknown option, or an option without its value; see --help";
        }
    }
    if (!options->help && optind == argc) return "which files? See --help";
    return NULL;
}

static int lead(int argc, char **argv, const options_t *options)
{
    char **files = argv + optind;
    int count = argc - optind;
    if (!files_are_fine(files, count)) {
        dismiss_workers();
        return 1;
    }
    dispatch(files, count, options->chunk_bytes);
    report(options->top, options->json);
    clean_up();
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

int main(int argc, char **argv)
{
    options_t options;
    const char *wrong = parse(argc, argv, &options);
    int error = byre_init();
    if (error != BYRE_OK) {
        complain("byre_init", byre_strerror(error));
        return 1;
    }
    job.ranks = byre_size();
    int status = 0;
    if (wrong != NULL) { /* said once, by one rank */
        if (byre_rank() == 0) complain("usage", wrong);
        status = byre_rank() == 0 ? 2 : 0;
    } else if (options.help) {
        if (byre_rank() == 0) fputs(usage, stdout);
    } else {
        status = byre_rank() == 0 ? lead(argc, argv, &options) : work();
    }
    must(byre_finalize(), "byre_finalize");
    return status;
}
