/* SPDX-License-Identifier: BSD-3-Clause */
#include "sort.h"

#include <stdlib.h>
#include <string.h>

uint32_t sort_key(size_t i)
{
    return (uint32_t)noise(i);
}

static unsigned digit_of(uint32_t key, int pass)
{
    return key >> (SORT_BITS * pass) & (SORT_DIGITS - 1);
}

void sort_make_run(const uint32_t *keys, uint32_t *run, size_t n, int pass, sort_counts counts_out)
{
    size_t next[SORT_DIGITS], sum = 0;

    memset(counts_out, 0, sizeof(sort_counts));
    for (size_t i = 0; i < n; i++) counts_out[digit_of(keys[i], pass)]++;
    for (unsigned digit = 0; digit < SORT_DIGITS; digit++) {
        next[digit] = sum;
        sum += counts_out[digit];
    }
    for (size_t i = 0; i < n; i++) run[next[digit_of(keys[i], pass)]++] = keys[i];
}

void sort_pieces(const sort_counts *counts, int ranks, struct span part, sort_take_fn take,
                 void *arg)
{
    size_t *begin = app_memory((size_t)ranks * sizeof *begin); /* of the piece in its run */
    size_t place = 0;

    for (unsigned digit = 0; digit < SORT_DIGITS; digit++) {
        for (int rank = 0; rank < ranks; rank++) {
            size_t length = counts[rank][digit], end = place + length;
            size_t from = place > part.first ? place : part.first,
                   to = end < part.end ? end : part.end;
            if (from < to) take(arg, rank, begin[rank] + (from - place), to - from, from);
            begin[rank] += length;
            place = end;
        }
    }
    free(begin);
}

static size_t answer_bytes(const struct job *job)
{
    return job->n * sizeof(uint32_t);
}

static double sequential(const struct job *job, void *answer_out)
{
    uint32_t *keys = answer_out, *run = app_memory(answer_bytes(job));
    sort_counts counts;

    for (size_t i = 0; i < job->n; i++) keys[i] = sort_key(i);
    double start = now();
    for (int pass = 0; pass < SORT_PASSES; pass++) {
        sort_make_run(keys, run, job->n, pass, counts);
        memcpy(keys, run, answer_bytes(job));
    }
    double seconds = now() - start;
    free(run);
    return seconds;
}

extern const struct version sort_dsm, sort_mpi;

const struct app app_sort = {
    .name = "sort",
    .what = "radix sort of 32-bit keys, four passes",
    .n_is = "keys",
    .n = 1 << 24,
    .quick_n = 20000,
    .least = 1,
    .most = (size_t)1 << 29,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &sort_dsm,
    .mpi = &sort_mpi,
};
