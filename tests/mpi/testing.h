/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the MPI and fault tests share. A test starts the job with start(), checks with CHECK and
 * EXPECT, and ends with `return finish();`. The first check that fails prints where and ends the
 * process with status 1, upon which mpirun ends the job. A test that hangs says where, shortly before
 * the runner's time limit.
 */
#ifndef TESTING_H
#define TESTING_H

#include <byre.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static int me __attribute__((unused)) = -1;    /* this rank */
static int ranks __attribute__((unused)) = -1; /* of the job */
static _Atomic int at_line;                    /* the check that was entered last, of any thread */

#define CHECK(condition)                                                 \
    do {                                                                 \
        atomic_store_explicit(&at_line, __LINE__, memory_order_relaxed); \
        if (!(condition)) failed(__FILE__, __LINE__, "%s", #condition);  \
    } while (0)

/* The call must return the error (BYRE_OK among them). */
#define EXPECT(error, call)                                                                  \
    do {                                                                                     \
        atomic_store_explicit(&at_line, __LINE__, memory_order_relaxed);                     \
        int got_ = (call);                                                                   \
        if (got_ != (error))                                                                 \
            failed(__FILE__, __LINE__, "%s: %s instead of %s", #call, byre_error_name(got_), \
                   byre_error_name(error));                                                  \
    } while (0)

/* Two numbers must be equal. */
#define EQUAL(expected, actual)                                                            \
    do {                                                                                   \
        atomic_store_explicit(&at_line, __LINE__, memory_order_relaxed);                   \
        long long want_ = (long long)(expected), is_ = (long long)(actual);                \
        if (want_ != is_)                                                                  \
            failed(__FILE__, __LINE__, "%s is %lld instead of %lld", #actual, is_, want_); \
    } while (0)

/* Go on when the condition holds; the time limit of the test is the limit. */
#define UNTIL(condition)                                                 \
    do {                                                                 \
        atomic_store_explicit(&at_line, __LINE__, memory_order_relaxed); \
        while (!(condition)) (void)sched_yield();                        \
    } while (0)

_Noreturn static inline void failed(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn static inline void failed(const char *file, int line, const char *format, ...)
{
    char text[512];
    __builtin_va_list args;
    __builtin_va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    __builtin_va_end(args);
    fprintf(stderr, "%s:%d: rank %d: %s\n", file, line, me, text);
    fflush(NULL);
    _exit(1);
}

/* ---- the clock ---------------------------------------------------------------------------- */

static inline double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void stuck(int number)
{
    (void)number;
    char text[96];
    int length = snprintf(text, sizeof text, "rank %d: still at line %d when time was up\n", me,
                          atomic_load(&at_line));
    if (length > 0) (void)!write(STDERR_FILENO, text, (size_t)length);
    _exit(1);
}

/* A few seconds before the runner loses its patience. */
static inline void watch_the_time(void)
{
    const char *limit = getenv("BYRE_TEST_LIMIT");
    if (limit == NULL || atoi(limit) < 10) return;
    signal(SIGALRM, stuck);
    alarm((unsigned)atoi(limit) - 4);
}

/* ---- numbers and bytes -------------------------------------------------------------------- */

static inline uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t mix3(uint64_t a, uint64_t b, uint64_t c)
{
    return mix(mix(mix(a) + b) + c);
}

/* 0 ... below - 1 */
static inline uint64_t draw(uint64_t *state, uint64_t below)
{
    return mix((*state)++) % below;
}

/* Bytes that depend on the seed and on their place. */
static inline void fill(void *buf, size_t bytes, uint64_t seed)
{
    unsigned char *at = buf;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = mix(seed + i);
        memcpy(at + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

static inline bool filled(const void *buf, size_t bytes, uint64_t seed)
{
    const unsigned char *at = buf;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = mix(seed + i);
        if (memcmp(at + i, &word, bytes - i < 8 ? bytes - i : 8) != 0) return false;
    }
    return true;
}

static inline void *room_for(size_t bytes)
{
    void *room = calloc(1, bytes > 0 ? bytes : 1);
    if (room == NULL) failed(__FILE__, __LINE__, "no memory for %zu bytes", bytes);
    return room;
}

static inline byre_addr_t at(int rank, int port)
{
    return (byre_addr_t){ .rank = rank, .port = port };
}

/* The neighbours in the ring of ranks; a rank alone is its own. */
static inline int right(void)
{
    return (me + 1) % ranks;
}
static inline int left(void)
{
    return (me + ranks - 1) % ranks;
}

/* ---- the job ------------------------------------------------------------------------------ */

static inline void start(void)
{
    watch_the_time();
    EXPECT(BYRE_OK, byre_init());
    me = byre_rank();
    ranks = byre_size();
    CHECK(ranks >= 1 && me >= 0 && me < ranks);
}

static inline int finish(void)
{
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_finalize());
    return 0;
}

#endif
