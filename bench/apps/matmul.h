/* SPDX-License-Identifier: BSD-3-Clause */
/* Matrix multiply: C = A B, square, double. A rank computes rows of C: it needs the same rows of A, and
 * all of B. */
#ifndef BYRE_APPS_MATMUL_H
#define BYRE_APPS_MATMUL_H

#include "apps.h"

/* Element i of A (which 0) or B (1), counted row by row. */
double matmul_element(int which, size_t i);
/* `rows` rows of C from as many of A. */
void matmul_rows(const double *a, const double *b, double *c, size_t rows, size_t n);

#endif
