/* SPDX-License-Identifier: BSD-3-Clause */
/* Order statistics: medians and percentiles say what a user meets; a mean hides the tail. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_doubles(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
}

/* Linear between neighbours, so that a median of an even number lies in the middle. */
double percentile(const double *sorted, int count, double percent)
{
    if (count <= 0) return NAN;
    double place = percent / 100 * (count - 1);
    int below = (int)place;
    int above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

double median_of(double *values, int count)
{
    sort_doubles(values, count);
    return percentile(values, count, 50);
}

void samples_init(struct samples *samples, int room)
{
    samples->count = 0;
    samples->floor = calloc((size_t)room, sizeof *samples->floor);
    samples->byre = calloc((size_t)room, sizeof *samples->byre);
    if (!samples->floor || !samples->byre) bench_die("samples", "out of memory");
}

void samples_fini(struct samples *samples)
{
    free(samples->floor);
    free(samples->byre);
    samples->floor = samples->byre = NULL;
}

static void convert(double *values, int count, double scale, bool inverse)
{
    for (int i = 0; i < count; i++) values[i] = inverse ? scale / values[i] : scale * values[i];
}

void row_fill(struct row *row, struct samples *samples, double scale, bool inverse)
{
    int count = samples->count;
    double *ratios = calloc((size_t)count + 1, sizeof *ratios);
    if (!ratios) bench_die("samples", "out of memory");
    convert(samples->floor, count, scale, inverse);
    convert(samples->byre, count, scale, inverse);
    for (int i = 0; i < count; i++) ratios[i] = samples->byre[i] / samples->floor[i];
    row->floor = median_of(samples->floor, count);
    row->ratio = median_of(ratios, count);
    row->ratio_p10 = percentile(ratios, count, 10);
    row->ratio_p90 = percentile(ratios, count, 90);
    row->value = median_of(samples->byre, count);
    row->p10 = percentile(samples->byre, count, 10);
    row->p90 = percentile(samples->byre, count, 90);
    row->reps = count;
    free(ratios);
}
