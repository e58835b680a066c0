/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim.h - what the files of byre-sim share.
 *
 *   main.c      start; rows: every policy at every load, repeated
 *   options.c   the command line
 *   dist.c      random numbers, and distributions of them
 *   trace.c     a workload as a file
 *   heap.c      what happens next
 *   engine.c    one run: nodes, queues, jobs, time
 *   world.c     what a policy sees of it, and the messages between nodes
 *   choices.c   a policy for comparison that no daemon has
 *   models.c    what queueing theory says
 *   stats.c     percentiles, confidence
 *   report.c    rows as a table or JSON        plot.c   as a picture
 *   pool.c      byre sim pool
 *
 * Everything is deterministic: the same command prints the same. Times are seconds.
 */
#ifndef BYRE__SIM_H
#define BYRE__SIM_H

#include "sched/policy/policy.h"
#include <stdio.h>

enum { SIM_OK = 0, SIM_FAILED = 1, SIM_USAGE = 2 };

/* ---- random numbers (dist.c) ------------------------------------------------------------------- */

typedef struct sim_rng {
    uint64_t word[4];
} sim_rng_t; /* xoshiro256++ of Blackman and Vigna */

/* Streams of one seed do not depend on each other: the workload is the same whatever the policy draws. */
void sim_rng_seed(sim_rng_t *rng, uint64_t seed, uint64_t stream);
uint64_t sim_rng_next(sim_rng_t *rng);
uint64_t sim_rng_below(sim_rng_t *rng, uint64_t below); /* 0 .. below-1 */
double sim_rng_unit(sim_rng_t *rng);                    /* above 0, up to 1 */

enum sim_shape { SIM_EXP, SIM_DET, SIM_ERLANG, SIM_HYPER, SIM_PARETO };

typedef struct sim_dist {
    enum sim_shape shape;
    double
        parameter; /* ERLANG: stages; HYPER: squared coefficient of variation; PARETO: exponent */
    char name[24]; /* as it was written */
} sim_dist_t;

/* "exp", "poisson", "det", "erlang:4", "hyper:8", "pareto:2.5". false and *why_out: what is wrong. */
bool sim_dist_parse(const char *text, sim_dist_t *dist_out, const char **why_out);
double sim_dist_draw(const sim_dist_t *dist, sim_rng_t *rng); /* mean 1 */
double
sim_dist_cv2(const sim_dist_t *dist); /* squared coefficient of variation, perhaps INFINITY */

/* ---- traces (trace.c) -------------------------------------------------------------------------- */

typedef struct sim_arrival {
    double at, service_s;
    int node; /* -1: not said */
} sim_arrival_t;

typedef struct sim_trace {
    sim_arrival_t *arrival; /* in order of time */
    size_t count;
    int nodes; /* the highest node that is named, and one; 0: none is */
} sim_trace_t;

/* SIM_OK, or the exit status after a complaint on stderr. */
int sim_trace_read(const char *file, sim_trace_t *trace_out);
void sim_trace_fini(sim_trace_t *trace);
void sim_trace_head(FILE *out);
void sim_trace_line(FILE *out, const sim_arrival_t *arrival);

/* ---- events (heap.c) --------------------------------------------------------------------------- */

typedef struct sim_event {
    double at;
    uint64_t order; /* events of the same time happen in the order in which they were put in */
    uint32_t kind, node;
    uint64_t what;
} sim_event_t;

typedef struct sim_heap {
    sim_event_t *event;
    size_t count, room;
    uint64_t orders;
} sim_heap_t;

bool sim_heap_put(sim_heap_t *heap, sim_event_t event); /* false: no memory */
bool sim_heap_take(sim_heap_t *heap, sim_event_t *event_out);
void sim_heap_fini(sim_heap_t *heap);

/* ---- samples (stats.c) ------------------------------------------------------------------------- */

/* Counts in bins 0.2% wide, from 2^-32 to 2^32. */
enum { SIM_BINS_A_DOUBLING = 512, SIM_BINS = 64 * SIM_BINS_A_DOUBLING };
typedef struct sim_histogram {
    uint64_t count, bin[SIM_BINS];
} sim_histogram_t;

void sim_histogram_add(sim_histogram_t *histogram, double value);
double sim_histogram_percentile(const sim_histogram_t *histogram, double percent);
void sim_histogram_merge(sim_histogram_t *into, const sim_histogram_t *from);
/* Half the width of the 95% confidence interval of the mean; NAN for fewer than two. */
double sim_confidence(const double *values, int count, double *mean_out);

/* ---- a run (engine.c) -------------------------------------------------------------------------- */

typedef struct sim_setup {
    int nodes, sources; /* jobs come at the first `sources' nodes */
    uint32_t slots;     /* of each node */
    const double *speeds;
    int speed_count; /* node i has speed i modulo this */
    sim_dist_t arrival, service;
    double mean_s;              /* of the service, on a node of speed 1 */
    double rho;                 /* arrivals, as a part of what all nodes together can do */
    double probe_s, transfer_s; /* a question and its answer; a job on its way */
    uint64_t jobs, warmup;      /* ends that count; ends before them that do not */
    uint64_t seed;
    const sim_trace_t *trace; /* instead of arrival, service, rho, jobs and warmup; or NULL */
    FILE *record;             /* the workload is written there; or NULL */
    const byre__policy_t *policy;
    byre__policy_params_t params;
} sim_setup_t;

typedef struct sim_result {
    uint64_t jobs, events;
    double mean_s;                     /* response: from arrival to end */
    double service_s;                  /* mean */
    double utilisation;                /* slots in use, of all, over time */
    double probes, transfers;          /* a job */
    double refused;                    /* claims that came too late, a job (shortest) */
    double span_s;                     /* of what was measured */
    bool unstable;                     /* more came than could be done */
    sim_histogram_t *response, *ratio; /* added to; the caller's */
} sim_result_t;

/* SIM_OK, or SIM_FAILED: no memory. */
int sim_run(const sim_setup_t *setup, sim_result_t *result);
double sim_capacity(const sim_setup_t *setup); /* jobs of mean 1 a second that all nodes can do */

/* ---- policies for comparison (choices.c) ------------------------------------------------------- */

extern const byre__policy_t sim_policy_choices;
/* byre__policy_parse, and "choices,L=1". */
const byre__policy_t *sim_policy_parse(const char *text, byre__policy_params_t *params_out,
                                       char error_out[static 160]);

/* ---- theory (models.c): mean response in units of the mean service ------------------------------ */

double sim_model_mm1(double rho);
double sim_model_mmk(double rho, int servers);
double sim_model_mg1(double rho, double cv2);
double sim_model_threshold(double rho, int threshold, int probes);
double sim_model_receiver(double rho, int probes);
double sim_model_choices(double rho, int choices);
/* Where sender- and receiver-initiated sharing with T = 1 are equally good. */
double sim_model_crossing(int probes);
/* What is to be expected of a run, in seconds; NAN: no formula fits. */
double sim_model_of(const sim_setup_t *setup);

/* ---- rows -------------------------------------------------------------------------------------- */

enum { SIM_POLICIES_MOST = 16, SIM_LOADS_MOST = 200, SIM_NAME_MOST = 60 };

typedef struct sim_choice {
    const byre__policy_t *policy;
    byre__policy_params_t params;
    char name[SIM_NAME_MOST]; /* as it was written */
} sim_choice_t;

typedef struct sim_options {
    sim_setup_t setup; /* without policy, rho and seed */
    sim_choice_t choice[SIM_POLICIES_MOST];
    int choices;
    double rho[SIM_LOADS_MOST];
    int loads;
    double speeds[256];
    int reps;
    uint64_t seed;
    bool json, pool, quiet;
    const char *plot, *trace, *write_trace;
} sim_options_t;

typedef struct sim_row {
    double rho;
    const char *policy;
    double mean_s, ci_s, theory_s, p50_s, p90_s, p99_s;
    double ratio, ratio_p50,
        ratio_p99; /* mean response / mean service; each job's own: percentiles */
    double probes, transfers, refused, utilisation, span_s;
    uint64_t jobs, events;
    int reps;
    bool unstable;
} sim_row_t;

/* 0, or the exit status + 1 with which to end at once. */
int sim_options_parse(sim_options_t *options, int argc, char **argv);
int sim_complain(const char *format, ...) __attribute__((format(printf, 1, 2))); /* SIM_USAGE */

/* How far all is, for somebody at a terminal. */
typedef struct sim_progress {
    bool show;
    size_t done, all; /* runs */
} sim_progress_t;

sim_progress_t sim_progress_start(const sim_options_t *options, size_t rows);
/* One row: all repetitions of a setup. SIM_OK or SIM_FAILED. */
int sim_measure(const sim_setup_t *setup, const sim_options_t *options, const char *name,
                sim_progress_t *progress, sim_row_t *row_out);

void sim_report_head(const sim_options_t *options);
void sim_report_row(const sim_options_t *options, const sim_row_t *row);
int sim_plot_possible(const char *file); /* SIM_OK or, after a complaint, another status */
int sim_plot(const sim_options_t *options, const sim_row_t *rows, size_t count);
int sim_pool(const sim_options_t *options);

#endif
