/* SPDX-License-Identifier: BSD-3-Clause */
/* FFT in two dimensions of n x n complex numbers: transform the rows, transpose, transform the rows (that
 * were columns), transpose back. In a transpose every rank needs something of every other: the
 * hardest traffic there is. */
#ifndef BYRE_APPS_FFT_H
#define BYRE_APPS_FFT_H

#include "apps.h"

struct complex {
    double re, im;
};

struct complex fft_element(size_t i);
/* e^(-2 pi i k / n) for k = 0 ... n/2 - 1; free() it. */
struct complex *fft_roots(size_t n);
void fft_rows(struct complex *rows, size_t count, size_t n, const struct complex *roots);
/* to[x][y] = from[y][x] for x < width, y < height; rows of `from` and `to` are so far apart. */
void fft_transpose(const struct complex *from, size_t from_stride, struct complex *to,
                   size_t to_stride, size_t width, size_t height);

#endif
