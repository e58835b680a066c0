/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c - percentiles from a histogram whose bins grow with the value, and confidence in a mean. */
#include "sim.h"

#include <math.h>
#include <string.h>

/* The bits of a double, read as a number, grow with it: exponent and 9 bits of the mantissa are the bin. */
enum { MANTISSA = 52, KEPT = 9, LOWEST = 1023 - 32 };

void sim_histogram_add(sim_histogram_t *histogram, double value)
{
    const uint64_t lowest = (uint64_t)LOWEST << KEPT;
    uint64_t bits, bin;

    memcpy(&bits, &value, sizeof bits); /* values are not negative */
    bits >>= MANTISSA - KEPT;
    bin = bits < lowest ? 0 : bits - lowest;
    histogram->bin[bin < SIM_BINS ? bin : SIM_BINS - 1]++;
    histogram->count++;
}

/* The middle of the bin in which that sample is. */
double sim_histogram_percentile(const sim_histogram_t *histogram, double percent)
{
    uint64_t want = (uint64_t)ceil((double)histogram->count * percent / 100), seen = 0;

    if (histogram->count == 0) {
        return NAN;
    }
    for (int i = 0; i < SIM_BINS; i++) {
        seen += histogram->bin[i];
        if (seen >= want && seen > 0) {
            return ldexp(1 + (i % SIM_BINS_A_DOUBLING + 0.5) / SIM_BINS_A_DOUBLING,
                         i / SIM_BINS_A_DOUBLING - 32);
        }
    }
    return NAN;
}

void sim_histogram_merge(sim_histogram_t *into, const sim_histogram_t *from)
{
    for (int i = 0; i < SIM_BINS; i++) {
        into->bin[i] += from->bin[i];
    }
    into->count += from->count;
}

/* Student's t, 97.5%, for 1.. degrees of freedom; from 31 on the expansion around the normal is exact enough. */
static double student(int freedom)
{
    static const double t[] = { 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                2.060,  2.056, 2.052, 2.048, 2.045, 2.042 };
    const double z = 1.959964;

    return freedom <= 30 ? t[freedom - 1] : z + (z * z * z + z) / (4 * freedom);
}

double sim_confidence(const double *values, int count, double *mean_out)
{
    double mean = 0, squares = 0;

    for (int i = 0; i < count; i++) {
        mean += values[i] / count;
    }
    *mean_out = mean;
    if (count < 2) {
        return NAN;
    }
    for (int i = 0; i < count; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return student(count - 1) * sqrt(squares / (count - 1) / count);
}
