/* SPDX-License-Identifier: BSD-3-Clause */
#include "matmul.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 64 /* rows of B that stay in the cache */

double matmul_element(int which, size_t i)
{
    return noise_unit(2 * i + (unsigned)which) - 0.5;
}

/* c += a[k] * b[k][...] for one row and one block of k. */
static void add_block(const double *a, const double *b, double *c, size_t first, size_t end,
                      size_t n)
{
    for (size_t k = first; k < end; k++) {
        double factor = a[k];
        const double *row = b + k * n;
        for (size_t j = 0; j < n; j++) c[j] += factor * row[j];
    }
}

/* Whatever the blocks, an element is summed in the order of k. */
void matmul_rows(const double *a, const double *b, double *c, size_t rows, size_t n)
{
    memset(c, 0, rows * n * sizeof *c);
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t end = first + BLOCK < n ? first + BLOCK : n;
        for (size_t i = 0; i < rows; i++) add_block(a + i * n, b, c + i * n, first, end, n);
    }
}

static size_t answer_bytes(const struct job *job)
{
    return job->n * job->n * sizeof(double);
}

static double sequential(const struct job *job, void *answer_out)
{
    size_t n = job->n;
    double *a = app_memory(n * n * sizeof *a), *b = app_memory(n * n * sizeof *b);

    for (size_t i = 0; i < n * n; i++) {
        a[i] = matmul_element(0, i);
        b[i] = matmul_element(1, i);
    }
    double start = now();
    matmul_rows(a, b, answer_out, n, n);
    double seconds = now() - start;
    free(a);
    free(b);
    return seconds;
}

extern const struct version matmul_dsm, matmul_mpi;

const struct app app_matmul = {
    .name = "matmul",
    .what = "matrix multiply, C = A B, double",
    .n_is = "rows of each matrix",
    .n = 1024,
    .quick_n = 90,
    .least = 1,
    .most = 16384,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &matmul_dsm,
    .mpi = &matmul_mpi,
};
