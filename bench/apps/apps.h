/* SPDX-License-Identifier: BSD-3-Clause */
/* byre-apps: what its files share.
 *
 *   main.c        start, one application after the other, finish
 *   cmdline.c     the command line
 *   trial.c       both versions of an application in turns; no answer goes unchecked
 *   table.c       results for people and for programs
 *   share.c       who does which part of the work, and how an answer comes together
 *   pgm.c         pictures
 *   NAME.c        an application: the problem, the loops that all its versions share, the sequential one
 *   NAME_dsm.c    the version for shared memory: loads, stores, barriers, locks
 *   NAME_mpi.c    the version for messages
 *
 * Rules of the house. The versions of an application run the same loops in the same order, so that their
 * answers are equal to the last bit, however many ranks there are. Each is written as its textbook would
 * have it: the shared-memory one sends no message, the message one does not hide behind Byre. What is
 * measured begins with the problem in the memory of those who work on it, and ends with the answer
 * there; collecting it is not measured. */
#ifndef BYRE_APPS_H
#define BYRE_APPS_H

#include "bench/bench.h"

#include <stdint.h>

/* ---- an application ---------------------------------------------------------------------------- */

/* What is to be computed; equal on all ranks. */
struct job {
    size_t n; /* the size; an application says what it means */
    int rank, ranks;
    MPI_Comm comm;  /* for the versions that use MPI, and for collecting answers */
    const char *in; /* file to read, or NULL */
    void *problem;  /* the application's own, made by its prepare */
};

/* One version. Every function is called by all ranks, in the same order. */
struct version {
    void *(*create)(const struct job *job);       /* memory */
    void (*load)(void *run);                      /* the problem is as at the beginning */
    void (*run)(void *run);                       /* what is measured */
    void (*collect)(void *run, void *answer_out); /* the whole answer, on rank 0 (others: NULL) */
    void (*destroy)(void *run);
};

struct app {
    const char *name;
    const char *what;   /* one line for people */
    const char *n_is;   /* what n counts */
    size_t n, quick_n;  /* sizes to measure and to test */
    size_t least, most; /* sizes that make sense; n is at least the number of ranks as well */
    bool power;         /* n must be a power of two */
    void (*prepare)(struct job *job); /* collective; may change n; or NULL */
    void (*release)(struct job *job);
    size_t (*answer_bytes)(const struct job *job);
    double (*sequential)(const struct job *job, void *answer_out); /* on rank 0; returns seconds */
    const char *(*save)(const struct job *job, const void *answer, const char *file); /* or NULL */
    const struct version *dsm, *mpi;
};

extern const struct app app_sor, app_matmul, app_fft, app_sort, app_nbody, app_tsp, app_tree;

/* ---- parts of the work ------------------------------------------------------------------------- */

struct span {
    size_t first, end;
};

/* Part `part` of 0 ... n-1, cut into `parts` that differ by one at most. */
struct span span_of(size_t n, int part, int parts);
size_t span_length(struct span span);

/* For MPI calls that want counts and displacements: those of n things of `each` elements, cut into
 * spans. The caller frees both. */
struct layout {
    int *counts, *starts;
};
struct layout layout_create(size_t n, size_t each, int ranks);
void layout_destroy(struct layout *layout);

/* All spans of n things of `bytes` each, from the ranks' own memory to rank 0. Collective. */
void collect_spans(const struct job *job, const void *own, size_t n, size_t bytes, void *all_out);

/* Memory of zeros, aligned to a page; ends the program when there is none. Free with free(). */
void *app_memory(size_t bytes);
/* A region as byre_dsm_alloc makes it, or the end of the program. Collective. */
void *app_region(size_t bytes, const byre_dsm_attr_t *attr);
void app_region_free(void *region);
size_t page_bytes(void);
/* `bytes` rounded up to whole pages: the distance of rows that share no page. */
size_t whole_pages(size_t bytes);
/* The largest unit of whole pages that is not longer than `bytes`. */
unsigned unit_for(size_t bytes);

/* ---- numbers that look random and are the same everywhere ---------------------------------------- */

/* A hash of i: every bit of it depends on every bit of i (splitmix64). */
static inline uint64_t noise(uint64_t i)
{
    i += 0x9e3779b97f4a7c15u;
    i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
    return i ^ (i >> 31);
}

/* The same in 0 ... 1. */
static inline double noise_unit(uint64_t i)
{
    return (double)(noise(i) >> 11) * 0x1p-53;
}

/* ---- pictures ---------------------------------------------------------------------------------- */

struct picture {
    size_t width, height;
    float *pixels; /* 0 ... 255, row by row */
};

/* Portable graymap, plain (P2) or raw (P5). NULL, or what is wrong. */
const char *pgm_read(const char *file, struct picture *picture_out);
const char *pgm_write(const char *file, const struct picture *picture);
/* Discs, edges, a slope, and noise over all of it. */
void picture_generate(struct picture *picture, size_t width, size_t height);

/* ---- the command line ---------------------------------------------------------------------------- */

#define APPS_MAX 16

struct cmdline {
    const struct app *apps[APPS_MAX]; /* to run */
    int app_count;
    enum format format;
    bool quick;
    bool dsm, mpi;   /* versions to run */
    bool sequential; /* run this one as well, to check the others and for the speedup */
    size_t n;        /* 0: the application's own */
    int reps;
    const char *in, *out;
    const char *noisy; /* file for a made-up picture, or NULL */
    const char *spoil; /* "dsm" or "mpi": a version whose answer is to be made wrong, or NULL */
};

extern const struct app *const all_apps[]; /* ends with NULL */

/* Read it: 0, or the exit status + 1 with which to end at once. */
int cmdline_parse(struct cmdline *cmd, int argc, char **argv);

/* ---- trials -------------------------------------------------------------------------------------- */

enum { DSM, MPI, VERSIONS };

/* What came out; rank 0's is complete. */
struct result {
    const struct app *app;
    size_t n;
    int ranks;
    double sequential;         /* seconds; NAN: not run */
    double *seconds[VERSIONS]; /* [reps]; NULL: not run; the same index was measured side by side */
    int reps;
    double messages, bytes; /* of shared memory, all ranks, one run (the median) */
};

/* Collective: measure, check, print. The exit status, equal on all ranks. */
int trial_run(const struct cmdline *cmd, const struct app *app, MPI_Comm comm);

void table_open(const struct cmdline *cmd);
void table_result(const struct cmdline *cmd, const struct result *result);

#endif
