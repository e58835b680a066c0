/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR: the picture u that is near the given picture f and smooth, except where f has an edge:
 *
 *     u + sum over the four neighbours v of w(u, v) * (u - v) = f,   w(u, v) = L / (1 + ((f_u - f_v) / K)^2)
 *
 * (Perona and Malik's weights, one implicit step), solved by red-black successive overrelaxation. A cell
 * needs its neighbours only, which are of the other colour. So the cells of one colour may be relaxed in
 * any order, by any number of ranks; then come those of the other colour.
 *
 * Cell (x, y) is red (colour 0) where x + y is even, else black. The colours lie in arrays of their own, as
 * is usual on shared memory: what is written in a half sweep is apart from what is read. Cell (x, y) is
 * u[colour][y][x / 2]. */
#ifndef BYRE_APPS_SOR_H
#define BYRE_APPS_SOR_H

#include "apps.h"

#define SOR_SWEEPS 100

/* What relaxing some rows takes besides u: made once from f, each rank's own. */
struct sor_plan {
    size_t width, height;
    struct span rows; /* of the picture */
    float
        *across;  /* [rows][width + 1] weight between a cell and its left neighbour; 0 at borders */
    float *down;  /* [rows + 1][width] weight between a cell and the one above */
    float *scale; /* [rows][width] 1 / (1 + all four weights) */
    float *goal;  /* [rows][width] f */
};

/* Floats in a row of one colour. */
size_t sor_half(size_t width);
/* f is the first of the rows. Rows are `stride` floats apart, and those above the first and below the
 * last are there too, unless the picture ends. */
void sor_plan_init(struct sor_plan *plan, size_t width, size_t height, struct span rows,
                   const float *f, size_t stride);
void sor_plan_fini(struct sor_plan *plan);
/* Relax the cells of one colour. u[0], u[1]: the first of the rows, those beyond as in f. */
void sor_relax(const struct sor_plan *plan, float *const u[2], size_t stride, unsigned colour);
/* Only some of them, counted from the first. */
void sor_relax_rows(const struct sor_plan *plan, float *const u[2], size_t stride, unsigned colour,
                    struct span rows);
/* Rows of a picture to u, and back; y is the number of the first row. */
void sor_split(const float *rows, size_t width, struct span span, float *const u[2], size_t stride);
void sor_join(float *rows, size_t width, struct span span, float *const u[2], size_t stride);

#endif
