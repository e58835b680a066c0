/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - byre sim: the policies of the daemons in a simulated system. A row is one policy at one load, repeated
 * with other random numbers; at the same repetition all policies get the same jobs, so that they differ by merit.
 */
#include "sim.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPS_MOST = 1000 };

sim_progress_t sim_progress_start(const sim_options_t *options, size_t rows)
{
    return (sim_progress_t){ .show = !options->quiet && isatty(STDERR_FILENO),
                             .all = rows * (size_t)options->reps };
}

static void show_progress(const sim_progress_t *progress, const char *name, double rho)
{
    if (progress->show) {
        fprintf(stderr, "\r\033[K[%zu/%zu] %s at %g", progress->done, progress->all, name, rho);
        fflush(stderr);
    }
}

static void wipe_progress(const sim_progress_t *progress)
{
    if (progress->show) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

/* ---- a row -------------------------------------------------------------------------------------- */

static void add(sim_row_t *row, const sim_result_t *result, int reps)
{
    row->ratio += result->mean_s / result->service_s / reps;
    row->probes += result->probes / reps;
    row->transfers += result->transfers / reps;
    row->refused += result->refused / reps;
    row->utilisation += result->utilisation / reps;
    row->span_s += result->span_s / reps;
    row->jobs += result->jobs;
    row->events += result->events;
    row->unstable = row->unstable || result->unstable;
}

static void percentiles(sim_row_t *row, const sim_result_t *result)
{
    row->p50_s = sim_histogram_percentile(result->response, 50);
    row->p90_s = sim_histogram_percentile(result->response, 90);
    row->p99_s = sim_histogram_percentile(result->response, 99);
    row->ratio_p50 = sim_histogram_percentile(result->ratio, 50);
    row->ratio_p99 = sim_histogram_percentile(result->ratio, 99);
}

int sim_measure(const sim_setup_t *setup, const sim_options_t *options, const char *name,
                sim_progress_t *progress, sim_row_t *row_out)
{
    int reps = options->reps;
    sim_histogram_t *response = calloc(1, sizeof *response), *ratio = calloc(1, sizeof *ratio);
    sim_result_t result = { .response = response, .ratio = ratio };
    sim_row_t row = { .rho = setup->rho, .policy = name, .reps = reps };
    double means[REPS_MOST];
    int status = response && ratio ? SIM_OK : SIM_FAILED;

    for (int i = 0; i < reps && status == SIM_OK; i++) {
        sim_setup_t one = *setup;

        one.seed = options->seed + (uint64_t)i;
        show_progress(progress, name, setup->rho);
        status = sim_run(&one, &result);
        means[i] = result.mean_s;
        if (status == SIM_OK) {
            add(&row, &result, reps);
        }
        progress->done++;
    }
    wipe_progress(progress);
    if (status == SIM_OK) {
        row.ci_s = sim_confidence(means, reps, &row.mean_s);
        row.theory_s = sim_model_of(setup);
        percentiles(&row, &result);
        *row_out = row;
    } else {
        fputs("byre sim: out of memory: fewer --nodes, or fewer --jobs at this load\n", stderr);
    }
    free(response);
    free(ratio);
    return status;
}

/* ---- all rows ----------------------------------------------------------------------------------- */

static int measure_all(const sim_options_t *options, sim_row_t *rows)
{
    size_t done = 0;
    sim_progress_t progress =
        sim_progress_start(options, (size_t)options->loads * (size_t)options->choices);

    sim_report_head(options);
    for (int load = 0; load < options->loads; load++) {
        for (int c = 0; c < options->choices; c++) {
            const sim_choice_t *choice = &options->choice[c];
            sim_setup_t setup = options->setup;
            int status;

            setup.rho = options->rho[load];
            setup.policy = choice->policy;
            setup.params = choice->params;
            status = sim_measure(&setup, options, choice->name, &progress, &rows[done]);
            if (status != SIM_OK) {
                return status;
            }
            sim_report_row(options, &rows[done++]);
        }
    }
    return SIM_OK;
}

/* The load of a trace is what is in it. */
static double trace_load(const sim_setup_t *setup)
{
    const sim_trace_t *trace = setup->trace;
    double sum = 0, span = trace->arrival[trace->count - 1].at - trace->arrival[0].at;

    for (size_t i = 0; i < trace->count; i++) {
        sum += trace->arrival[i].service_s;
    }
    return span > 0 ? sum / span / (sim_capacity(setup) * setup->mean_s) : NAN;
}

static int use_trace(sim_options_t *options, sim_trace_t *trace)
{
    sim_setup_t *setup = &options->setup;
    int status = sim_trace_read(options->trace, trace);

    if (status != SIM_OK) {
        return status;
    }
    if (setup->nodes == 0) {
        setup->nodes = trace->nodes > 0 ? trace->nodes : 1;
    }
    if (trace->nodes > setup->nodes) {
        return sim_complain("--trace %s names node %d: --nodes %d or more", options->trace,
                            trace->nodes - 1, trace->nodes);
    }
    setup->sources = setup->sources > 0 ? setup->sources : setup->nodes;
    setup->trace = trace;
    options->loads = 1;
    options->rho[0] = trace_load(setup);
    return SIM_OK;
}

static int open_record(sim_options_t *options)
{
    if (!options->write_trace) {
        return SIM_OK;
    }
    options->setup.record = fopen(options->write_trace, "we");
    if (!options->setup.record) {
        fprintf(stderr, "byre sim: --write-trace %s: %s\n", options->write_trace, strerror(errno));
        return SIM_FAILED;
    }
    sim_trace_head(options->setup.record);
    return SIM_OK;
}

static int close_record(const sim_options_t *options, int status)
{
    FILE *record = options->setup.record;
    bool bad;

    if (!record) {
        return status;
    }
    bad = ferror(record) != 0;
    if (fclose(record) != 0 || bad) {
        fprintf(stderr, "byre sim: --write-trace %s: %s\n", options->write_trace, strerror(errno));
        return SIM_FAILED;
    }
    return status;
}

static int simulate(sim_options_t *options)
{
    sim_row_t *rows = calloc((size_t)options->loads * (size_t)options->choices, sizeof *rows);
    int status = rows ? open_record(options) : SIM_FAILED;

    if (status == SIM_OK) {
        status = close_record(options, measure_all(options, rows));
    }
    if (status == SIM_OK && options->plot) {
        status = sim_plot(options, rows, (size_t)options->loads * (size_t)options->choices);
    }
    free(rows);
    return status;
}

int main(int argc, char **argv)
{
    sim_options_t options;
    sim_trace_t trace = { 0 };
    int status = sim_options_parse(&options, argc, argv);

    if (status != 0) {
        return status - 1;
    }
    options.setup.speeds = options.speeds;
    status = options.plot ? sim_plot_possible(options.plot) : SIM_OK;
    if (status == SIM_OK && options.trace) {
        status = use_trace(&options, &trace);
    }
    if (status == SIM_OK) {
        status = options.pool ? sim_pool(&options) : simulate(&options);
    }
    sim_trace_fini(&trace);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "byre sim: cannot write the output: %s\n", strerror(errno));
        return SIM_FAILED;
    }
    return status;
}
