/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows, one home for their form: a table for people, JSON lines and CSV for programs. Rank 0 only. */
#include "bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct report {
    const struct options *opt;
    struct row *rows; /* kept for the picture */
    size_t count, room;
    char title[512];
} report;

void report_open(const struct options *opt)
{
    report.opt = opt;
    if (byre_rank() != 0) return;
    machine_describe(report.title, sizeof report.title);
    if (opt->format == FORMAT_TABLE) machine_table(stdout);
    if (opt->format == FORMAT_CSV)
        puts(
            "bench,variant,ranks,transport,bytes,n,value,unit,floor,floor_name,ratio,p10,p90,reps");
    fflush(stdout);
}

static void keep(const struct row *row)
{
    if (report.count == report.room) {
        size_t room = report.room ? 2 * report.room : 256;
        struct row *rows = realloc(report.rows, room * sizeof *rows);
        if (!rows) bench_die("rows", "out of memory");
        report.rows = rows;
        report.room = room;
    }
    report.rows[report.count++] = *row;
}

/* JSON has no word for "not a number" but null; CSV leaves the field empty. */
static const char *number(char *text, size_t room, double value, const char *none)
{
    if (!isfinite(value)) return none;
    snprintf(text, room, "%.6g", value);
    return text;
}

static void print_json(const struct row *row)
{
    char value[32], floor[32], ratio[32], p10[32], p90[32];
    const char *none = "null";

    printf("{\"bench\":\"%s\",\"variant\":\"%s\",\"ranks\":%d,\"transport\":\"%s\",\"%s\":%zu,"
           "\"value\":%s,\"unit\":\"%s\",\"floor\":%s,\"floor_name\":\"%s\",\"ratio\":%s,"
           "\"p10\":%s,\"p90\":%s,\"reps\":%d}\n",
           row->bench, row->variant, row->ranks, row->transport, row->counts ? "n" : "bytes",
           row->size, number(value, sizeof value, row->value, none), row->unit,
           number(floor, sizeof floor, row->floor, none), row->floor_name,
           number(ratio, sizeof ratio, row->ratio, none), number(p10, sizeof p10, row->p10, none),
           number(p90, sizeof p90, row->p90, none), row->reps);
}

static void print_csv(const struct row *row)
{
    char value[32], floor[32], ratio[32], p10[32], p90[32], size[32];

    snprintf(size, sizeof size, row->counts ? ",%zu" : "%zu,", row->size);
    printf("%s,%s,%d,%s,%s,%s,%s,%s,\"%s\",%s,%s,%s,%d\n", row->bench, row->variant, row->ranks,
           row->transport, size, number(value, sizeof value, row->value, ""), row->unit,
           number(floor, sizeof floor, row->floor, ""), row->floor_name,
           number(ratio, sizeof ratio, row->ratio, ""), number(p10, sizeof p10, row->p10, ""),
           number(p90, sizeof p90, row->p90, ""), row->reps);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* A new block of the table begins where a row differs in more than its size from the one before. */
static bool begins_block(const struct row *row)
{
    static struct row before;
    bool same = before.bench && !strcmp(before.bench, row->bench) &&
                !strcmp(before.variant, row->variant) && before.counts == row->counts;
    before = *row;
    return !same;
}

static void print_head(const struct row *row)
{
    printf("\n# %s, %s, %d ranks, %s, beside %s\n", row->bench, row->variant, row->ranks,
           row->transport, row->floor_name);
    printf("# %-10s %13s %12s %12s %13s %7s %15s\n", row->counts ? "Ranks" : "Size (B)", row->unit,
           "p10", "p90", "floor", "ratio", "p10-p90");
}

/* Three or four digits that count, whatever the unit. */
static const char *figure(char *text, size_t room, double value)
{
    double size = fabs(value);
    if (!isfinite(value)) return "-";
    snprintf(text, room, "%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3, value);
    return text;
}

static void print_table(const struct row *row)
{
    char value[32], p10[32], p90[32], floor[32], ratio[32], spread[32] = "-";

    if (begins_block(row)) print_head(row);
    if (isfinite(row->ratio_p10))
        snprintf(spread, sizeof spread, "%.3f-%.3f", row->ratio_p10, row->ratio_p90);
    if (isfinite(row->ratio))
        snprintf(ratio, sizeof ratio, "%.3f", row->ratio);
    else
        strcpy(ratio, "-");
    printf("%-12zu %13s %12s %12s %13s %7s %15s\n", row->size,
           figure(value, sizeof value, row->value), figure(p10, sizeof p10, row->p10),
           figure(p90, sizeof p90, row->p90), figure(floor, sizeof floor, row->floor), ratio,
           spread);
}

void report_row(const struct row *row)
{
    switch (report.opt->format) {
    case FORMAT_JSON:
        print_json(row);
        break;
    case FORMAT_CSV:
        print_csv(row);
        break;
    default:
        print_table(row);
    }
    fflush(stdout);
    if (report.opt->plot) keep(row);
}

int report_close(void)
{
    int status = 0;
    if (report.opt && report.opt->plot)
        status = plot_rows(report.opt->plot, report.title, report.rows, report.count);
    free(report.rows);
    return status;
}
