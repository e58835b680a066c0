/* SPDX-License-Identifier: BSD-3-Clause */
/* A remote array, all of it: page after page, or at random places.
 *
 * Beside the passes in order, the owner sends the same bytes with MPI in messages of 1 MiB into a
 * buffer that is warm, receives posted, and the leader touches them as it touches the array; or, beside
 * the passes over a new array once more, into memory that is as new (`fresh`). Beside the random reads, each read is a request to the owner: what a program does that keeps no copies. */
#include "dsm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TAG 5
#define CHUNK ((size_t)1 << 20)
enum { POSTED = 4 };

enum pass { READ_TOUCH, READ_SUM, WRITE_TOUCH, WRITE_FILL };

static _Atomic uint64_t sink;

static uint64_t sum_words(const uint64_t *words, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) sum += words[i];
    return sum;
}

static void fill_words(uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) words[i] = i;
}

static uint64_t touch_words(const struct dsm *dsm, char *from, size_t bytes, bool write)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < bytes; at += dsm->page) {
        volatile uint64_t *word = (volatile uint64_t *)(from + at);
        if (write)
            word[1] = at;
        else
            sum += *word;
    }
    return sum;
}

/* The sum of what was read. */
static uint64_t run(const struct dsm *dsm, char *from, size_t bytes, enum pass pass)
{
    switch (pass) {
    case READ_SUM:
        return sum_words((uint64_t *)from, bytes / sizeof(uint64_t));
    case WRITE_FILL:
        fill_words((uint64_t *)from, bytes / sizeof(uint64_t));
        return 0;
    default:
        return touch_words(dsm, from, bytes, pass == WRITE_TOUCH);
    }
}

/* ---- Byre -------------------------------------------------------------------------------------- */

static void check_sum(const struct dsm *dsm, uint64_t sum)
{
    if (sum != dsm->stamp * (dsm->bytes / dsm->page))
        bench_die("shared memory", "a value that was not written last");
}

static double pass_once(struct dsm *dsm, enum pass pass)
{
    dsm_prepare(dsm, 0);
    if (!dsm->crew.leader) return dsm_stand_by(dsm);
    dsm_count_begin(dsm);
    double start = now();
    uint64_t sum = run(dsm, dsm->base, dsm->bytes, pass);
    double seconds = now() - start;
    dsm_count_end(dsm);
    dsm_release(dsm);
    if (pass == READ_TOUCH || pass == READ_SUM) check_sum(dsm, sum);
    return seconds;
}

static double passes(struct dsm *dsm, int n, enum pass pass, bool first)
{
    dsm->copies = false;
    double seconds = 0;
    for (int i = 0; i < n; i++) {
        if (first) {
            size_t bytes = dsm->bytes;
            dsm_drop(dsm);
            dsm_make(dsm, bytes, 1);
        }
        seconds += pass_once(dsm, pass);
    }
    return seconds;
}

double dsm_read_first(void *arg, int n)
{
    return passes(arg, n, READ_TOUCH, true);
}

double dsm_read_later(void *arg, int n)
{
    return passes(arg, n, READ_TOUCH, false);
}

double dsm_read_sum(void *arg, int n)
{
    return passes(arg, n, READ_SUM, false);
}

double dsm_write_first(void *arg, int n)
{
    return passes(arg, n, WRITE_TOUCH, true);
}

double dsm_write_later(void *arg, int n)
{
    return passes(arg, n, WRITE_TOUCH, false);
}

double dsm_write_fill(void *arg, int n)
{
    return passes(arg, n, WRITE_FILL, false);
}

/* ---- raw ----------------------------------------------------------------------------------------- */

static size_t chunk_bytes(const struct dsm *dsm, size_t at)
{
    return dsm->bytes - at < CHUNK ? dsm->bytes - at : CHUNK;
}

static void send_all(const struct dsm *dsm, const char *buffer)
{
    MPI_Recv(NULL, 0, MPI_BYTE, dsm->crew.peer, TAG, dsm->crew.world, MPI_STATUS_IGNORE);
    for (size_t at = 0; at < dsm->bytes; at += CHUNK)
        MPI_Send(buffer + at, (int)chunk_bytes(dsm, at), MPI_BYTE, dsm->crew.peer, TAG,
                 dsm->crew.world);
}

static void post(const struct dsm *dsm, char *buffer, size_t at, MPI_Request *requests)
{
    if (at < dsm->bytes)
        MPI_Irecv(buffer + at, (int)chunk_bytes(dsm, at), MPI_BYTE, dsm->crew.peer, TAG,
                  dsm->crew.world, &requests[at / CHUNK % POSTED]);
}

static double receive_all(const struct dsm *dsm, char *buffer, enum pass pass)
{
    MPI_Request requests[POSTED];
    uint64_t sum = 0;

    double start = now();
    for (size_t i = 0; i < POSTED; i++) post(dsm, buffer, i * CHUNK, requests);
    MPI_Send(NULL, 0, MPI_BYTE, dsm->crew.peer, TAG, dsm->crew.world);
    for (size_t at = 0; at < dsm->bytes; at += CHUNK) {
        MPI_Wait(&requests[at / CHUNK % POSTED], MPI_STATUS_IGNORE);
        post(dsm, buffer, at + POSTED * CHUNK, requests);
        sum += run(dsm, buffer + at, chunk_bytes(dsm, at), pass);
    }
    double seconds = now() - start;
    atomic_store_explicit(&sink, sum, memory_order_relaxed);
    return seconds;
}

static double receive_fresh(const struct dsm *dsm, enum pass pass)
{
    char *fresh =
        mmap(NULL, dsm->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) bench_die("mmap", strerror(errno));
    double seconds = receive_all(dsm, fresh, pass);
    munmap(fresh, dsm->bytes);
    return seconds;
}

static double transfers(struct dsm *dsm, int n, enum pass pass, bool fresh)
{
    char *buffer = floor_buffer(dsm->bytes);
    double seconds = 0;
    for (int i = 0; i < n; i++) {
        if (!dsm->crew.leader)
            send_all(dsm, buffer);
        else
            seconds += fresh ? receive_fresh(dsm, pass) : receive_all(dsm, buffer, pass);
    }
    return seconds;
}

double dsm_read_floor(void *arg, int n)
{
    return transfers(arg, n, READ_TOUCH, false);
}

double dsm_read_fresh_floor(void *arg, int n)
{
    return transfers(arg, n, READ_TOUCH, true);
}

double dsm_read_sum_floor(void *arg, int n)
{
    return transfers(arg, n, READ_SUM, false);
}

double dsm_write_floor(void *arg, int n)
{
    return transfers(arg, n, WRITE_TOUCH, false);
}

double dsm_write_fill_floor(void *arg, int n)
{
    return transfers(arg, n, WRITE_FILL, false);
}

/* ---- random ---------------------------------------------------------------------------------------- */

/* As many reads as there are pages: some meet a page that an earlier one has fetched. */
static double read_at_random(struct dsm *dsm)
{
    size_t pages = dsm->bytes / dsm->page;
    static unsigned seed = 1;
    uint64_t sum = 0;

    dsm_prepare(dsm, 0);
    if (!dsm->crew.leader) return dsm_stand_by(dsm);
    for (size_t i = 0; i < pages; i++)
        dsm->order[i] = (size_t)rand_r(&seed) % (dsm->bytes / sizeof(uint64_t));
    dsm_count_begin(dsm);
    double start = now();
    for (size_t i = 0; i < pages; i++) sum += ((volatile uint64_t *)dsm->base)[dsm->order[i]];
    double seconds = now() - start;
    dsm_count_end(dsm);
    dsm_release(dsm);
    atomic_store_explicit(&sink, sum, memory_order_relaxed);
    return seconds;
}

double dsm_random(void *arg, int n)
{
    double seconds = 0;
    for (int i = 0; i < n; i++) seconds += read_at_random(arg);
    return seconds;
}

double dsm_random_floor(void *arg, int n)
{
    struct dsm *dsm = arg;
    return floor_requests(dsm, n * (int)(dsm->bytes / dsm->page), sizeof(uint64_t));
}
