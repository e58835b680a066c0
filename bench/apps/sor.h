/* SPDX-License-Identifier: BSD-3-Clause */
/* SOR: the picture u that is near the given picture f and smooth, except where f has an edge:
 *
 *     u + sum over the four neighbours v of w(u, v) * (u - v) = f,   w(u, v) = L / (1 + ((f_u - f_v) / K)^2)
 *
 * (Perona and Malik's weights, one implicit step), solved by red-black successive overrelaxation. A cell
 * needs its neighbours only, which are of the other colour. So the cells of one colour may be relaxed in
 * any order, by any number of ranks; then come those of the other colour. */
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

/* f, u: the first of the rows. Rows are `stride` floats apart, and those above the first and below the
 * last are there too, unless the picture ends. */
void sor_plan_init(struct sor_plan *plan, size_t width, size_t height, struct span rows,
                   const float *f, size_t stride);
void sor_plan_fini(struct sor_plan *plan);
/* Relax the cells whose row + column is even (colour 0) or odd (1). */
void sor_relax(const struct sor_plan *plan, float *u, size_t stride, unsigned colour);

#endif
