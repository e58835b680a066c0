/* SPDX-License-Identifier: BSD-3-Clause */
#include "fft.h"

#include <math.h>
#include <stdlib.h>

#define TILE 16 /* a transpose goes by tiles, so that caches see whole lines of both sides */

struct complex fft_element(size_t i)
{
    return (struct complex){ noise_unit(2 * i) - 0.5, noise_unit(2 * i + 1) - 0.5 };
}

struct complex *fft_roots(size_t n)
{
    struct complex *roots = app_memory((n / 2 + 1) * sizeof *roots);
    for (size_t k = 0; k < n / 2; k++) {
        double angle = -2 * M_PI * (double)k / (double)n;
        roots[k] = (struct complex){ cos(angle), sin(angle) };
    }
    return roots;
}

static void reverse_bits(struct complex *x, size_t n)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            struct complex keep = x[i];
            x[i] = x[j];
            x[j] = keep;
        }
    }
}

/* Cooley and Tukey, radix 2, in place. */
static void fft_row(struct complex *x, size_t n, const struct complex *roots)
{
    reverse_bits(x, n);
    for (size_t half = 1; half < n; half *= 2) {
        size_t step = n / (2 * half);
        for (size_t block = 0; block < n; block += 2 * half) {
            for (size_t k = 0; k < half; k++) {
                struct complex *a = &x[block + k], *b = a + half, w = roots[k * step];
                double re = b->re * w.re - b->im * w.im, im = b->re * w.im + b->im * w.re;
                *b = (struct complex){ a->re - re, a->im - im };
                *a = (struct complex){ a->re + re, a->im + im };
            }
        }
    }
}

void fft_rows(struct complex *rows, size_t count, size_t n, const struct complex *roots)
{
    for (size_t row = 0; row < count; row++) fft_row(rows + row * n, n, roots);
}

void fft_transpose(const struct complex *from, size_t from_stride, struct complex *to,
                   size_t to_stride, size_t width, size_t height)
{
    for (size_t y0 = 0; y0 < height; y0 += TILE) {
        size_t y_end = y0 + TILE < height ? y0 + TILE : height;
        for (size_t x0 = 0; x0 < width; x0 += TILE) {
            size_t x_end = x0 + TILE < width ? x0 + TILE : width;
            for (size_t x = x0; x < x_end; x++)
                for (size_t y = y0; y < y_end; y++)
                    to[x * to_stride + y] = from[y * from_stride + x];
        }
    }
}

static size_t answer_bytes(const struct job *job)
{
    return job->n * job->n * sizeof(struct complex);
}

static double sequential(const struct job *job, void *answer_out)
{
    size_t n = job->n;
    struct complex *a = answer_out, *b = app_memory(answer_bytes(job)), *roots = fft_roots(n);

    for (size_t i = 0; i < n * n; i++) a[i] = fft_element(i);
    double start = now();
    fft_rows(a, n, n, roots);
    fft_transpose(a, n, b, n, n, n);
    fft_rows(b, n, n, roots);
    fft_transpose(b, n, a, n, n, n);
    double seconds = now() - start;
    free(b);
    free(roots);
    return seconds;
}

extern const struct version fft_dsm, fft_mpi;

const struct app app_fft = {
    .name = "fft",
    .what = "two-dimensional FFT, two transposes",
    .n_is = "rows and columns of complex numbers, a power of two",
    .n = 2048,
    .quick_n = 64,
    .least = 2,
    .most = 16384,
    .power = true,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &fft_dsm,
    .mpi = &fft_mpi,
};
