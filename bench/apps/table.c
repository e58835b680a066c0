/* SPDX-License-Identifier: BSD-3-Clause */
/* Results: a table for people; for programs the rows of byre-bench. Rank 0 only. */
#include "apps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct options report_options;

void table_open(const struct cmdline *cmd)
{
    report_options = (struct options){ .format = cmd->format };
    report_open(&report_options);
    if (byre_rank() != 0 || cmd->format != FORMAT_TABLE) return;
    puts("#\n# seconds: median of the runs; ratio: shared memory / messages, median of the pairs "
         "of runs\n"
         "# speedup: over the sequential program; messages, bytes: for shared memory, all ranks, "
         "one run\n"
         "#");
    printf("# %-8s %-10s %5s %9s %9s %9s %9s %7s %7s %9s %11s\n", "app", "version", "ranks", "size",
           "seconds", "p10", "p90", "ratio", "speedup", "messages", "bytes");
}

/* ---- for programs -------------------------------------------------------------------------------- */

static struct row row_of(const struct result *result, const char *bench, const char *unit)
{
    return (struct row){ .bench = bench,
                         .variant = result->app->name,
                         .transport = transport_name(-1, -1),
                         .unit = unit,
                         .floor_name =
                             result->seconds[DSM] && result->seconds[MPI] ? "mpi" : "none",
                         .ranks = result->ranks,
                         .counts = true,
                         .size = result->n,
                         .floor = NAN,
                         .ratio = NAN,
                         .ratio_p10 = NAN,
                         .ratio_p90 = NAN };
}

/* value = scale * t or scale / t, and that of MPI beside it. */
static void fill(struct row *row, const struct result *result, double scale, bool inverse)
{
    const double *dsm = result->seconds[DSM], *mpi = result->seconds[MPI];
    size_t bytes = (size_t)result->reps * sizeof(double);
    struct samples samples;

    samples_init(&samples, result->reps);
    samples.count = result->reps;
    memcpy(samples.byre, dsm ? dsm : mpi, bytes);
    memcpy(samples.floor, mpi ? mpi : dsm, bytes);
    row_fill(row, &samples, scale, inverse);
    if (!dsm || !mpi) row->floor = row->ratio = NAN;
    samples_fini(&samples);
}

static void print_number(const struct result *result, const char *bench, const char *unit,
                         double value)
{
    struct row row = row_of(result, bench, unit);
    row.value = row.p10 = row.p90 = value;
    row.floor_name = "none";
    row.reps = result->reps;
    report_row(&row);
}

static void print_rows(const struct result *result)
{
    bool dsm = result->seconds[DSM] != NULL;
    struct row row = row_of(result, dsm ? "dsm.app" : "mpi.app", "s");

    fill(&row, result, 1, false);
    report_row(&row);
    if (isfinite(result->sequential)) {
        row = row_of(result, dsm ? "dsm.app.speedup" : "mpi.app.speedup", "x");
        fill(&row, result, result->sequential, true);
        report_row(&row);
    }
    if (!dsm) return;
    print_number(result, "dsm.app.messages", "msg", result->messages);
    print_number(result, "dsm.app.bytes", "B", result->bytes);
}

/* ---- for people ---------------------------------------------------------------------------------- */

static void print_line(const struct result *result, const char *version, int ranks, double seconds)
{
    printf("%-10s %-10s %5d %9zu %9.4f", result->app->name, version, ranks, result->n, seconds);
}

static void print_spread(const struct result *result, int which, double *median_out)
{
    double *sorted = app_memory((size_t)result->reps * sizeof *sorted);
    memcpy(sorted, result->seconds[which], (size_t)result->reps * sizeof *sorted);
    *median_out = median_of(sorted, result->reps);
    print_line(result, which == DSM ? "dsm" : "mpi", result->ranks, *median_out);
    printf(" %9.4f %9.4f", percentile(sorted, result->reps, 10),
           percentile(sorted, result->reps, 90));
    free(sorted);
}

static void print_version(const struct result *result, int which)
{
    double median;
    char ratio[32] = "", speedup[32] = "";

    if (!result->seconds[which]) return;
    print_spread(result, which, &median);
    if (which == DSM && result->seconds[MPI]) {
        struct row row = row_of(result, "", "");
        fill(&row, result, 1, false);
        snprintf(ratio, sizeof ratio, "%.3f", row.ratio);
    }
    if (isfinite(result->sequential))
        snprintf(speedup, sizeof speedup, "%.2f", result->sequential / median);
    printf(" %7s %7s", ratio, speedup);
    if (which == DSM) printf(" %9.0f %11.0f", result->messages, result->bytes);
    putchar('\n');
}

void table_result(const struct cmdline *cmd, const struct result *result)
{
    if (cmd->format != FORMAT_TABLE) {
        print_rows(result);
        return;
    }
    if (isfinite(result->sequential)) {
        print_line(result, "sequential", 1, result->sequential);
        putchar('\n');
    }
    print_version(result, MPI);
    print_version(result, DSM);
    fflush(stdout);
}
