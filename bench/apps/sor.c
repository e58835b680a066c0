/* SPDX-License-Identifier: BSD-3-Clause */
#include "sor.h"

#include <stdlib.h>
#include <string.h>

#define STRENGTH 8.0f /* L: more is smoother */
#define EDGE 30.0f    /* K: a difference of grey that counts as an edge */
#define OMEGA 1.5f    /* overrelaxation, 1 ... 2 */

/* ---- the loops ----------------------------------------------------------------------------------- */

static float weight(float a, float b)
{
    float d = (a - b) / EDGE;
    return STRENGTH / (1 + d * d);
}

static void plan_weights(struct sor_plan *plan, const float *f, size_t stride)
{
    size_t width = plan->width, rows = span_length(plan->rows);

    for (size_t row = 0; row < rows; row++) {
        float *across = plan->across + row * (width + 1);
        for (size_t i = 1; i < width; i++)
            across[i] = weight(f[row * stride + i], f[row * stride + i - 1]);
    }
    for (size_t row = 0; row <= rows; row++) {
        size_t y = plan->rows.first + row;
        const float *here = f + row * stride;
        if (y == 0 || y == plan->height) continue; /* weights of borders stay 0 */
        for (size_t i = 0; i < width; i++)
            plan->down[row * width + i] = weight(here[i], (here - stride)[i]);
    }
}

void sor_plan_init(struct sor_plan *plan, size_t width, size_t height, struct span rows,
                   const float *f, size_t stride)
{
    size_t count = span_length(rows);

    *plan = (struct sor_plan){ .width = width, .height = height, .rows = rows };
    plan->across = app_memory(count * (width + 1) * sizeof(float));
    plan->down = app_memory((count + 1) * width * sizeof(float));
    plan->scale = app_memory(count * width * sizeof(float));
    plan->goal = app_memory(count * width * sizeof(float));
    plan_weights(plan, f, stride);
    for (size_t row = 0; row < count; row++) {
        const float *across = plan->across + row * (width + 1), *down = plan->down + row * width;
        for (size_t i = 0; i < width; i++) {
            float sum = across[i] + across[i + 1] + down[i] + down[i + width];
            plan->scale[row * width + i] = 1 / (1 + sum);
            plan->goal[row * width + i] = f[row * stride + i];
        }
    }
}

void sor_plan_fini(struct sor_plan *plan)
{
    free(plan->across);
    free(plan->down);
    free(plan->scale);
    free(plan->goal);
}

size_t sor_half(size_t width)
{
    return (width + 1) / 2;
}

/* u: the row, of this colour, which begins in column `start`; the others are of the other colour. */
static void relax_row(const struct sor_plan *plan, size_t row, float *u, const float *beside,
                      const float *above, const float *below, size_t start)
{
    size_t width = plan->width, count = (width - start + 1) / 2, half = sor_half(width);
    const float *across = plan->across + row * (width + 1), *down = plan->down + row * width;
    const float *scale = plan->scale + row * width, *goal = plan->goal + row * width;

    for (size_t k = 0; k < count; k++) {
        /* Beyond a border the weight is 0: any cell will do. */
        size_t x = start + 2 * k, right = k + start, left = right - (right > 0);
        right -= right == half;
        float sum = goal[x] + across[x] * beside[left] + across[x + 1] * beside[right] +
                    down[x] * above[k] + down[x + width] * below[k];
        u[k] += OMEGA * (sum * scale[x] - u[k]);
    }
}

void sor_relax_rows(const struct sor_plan *plan, float *const u[2], size_t stride, unsigned colour,
                    struct span rows)
{
    for (size_t row = rows.first; row < rows.end; row++) {
        size_t y = plan->rows.first + row;
        const float *beside = u[!colour] + row * stride;
        const float *above = y > 0 ? beside - stride : beside;
        const float *below = y + 1 < plan->height ? beside + stride : beside;
        relax_row(plan, row, u[colour] + row * stride, beside, above, below, (y + colour) % 2);
    }
}

void sor_relax(const struct sor_plan *plan, float *const u[2], size_t stride, unsigned colour)
{
    struct span all = { 0, span_length(plan->rows) };
    sor_relax_rows(plan, u, stride, colour, all);
}

void sor_split(const float *rows, size_t width, struct span span, float *const u[2], size_t stride)
{
    for (size_t row = 0; row < span_length(span); row++)
        for (size_t x = 0; x < width; x++)
            u[(x + span.first + row) % 2][row * stride + x / 2] = rows[row * width + x];
}

void sor_join(float *rows, size_t width, struct span span, float *const u[2], size_t stride)
{
    for (size_t row = 0; row < span_length(span); row++)
        for (size_t x = 0; x < width; x++)
            rows[row * width + x] = u[(x + span.first + row) % 2][row * stride + x / 2];
}

/* ---- the problem --------------------------------------------------------------------------------- */

/* The picture is rank 0's: the versions hand it out. All know how large it is. */
static void prepare(struct job *job)
{
    struct picture *picture = app_memory(sizeof *picture);
    unsigned long long size[2];

    if (job->rank == 0) {
        const char *wrong = NULL;
        if (job->in)
            wrong = pgm_read(job->in, picture);
        else
            picture_generate(picture, job->n, job->n);
        if (wrong) bench_die(job->in, wrong);
        if (picture->height < (size_t)job->ranks) bench_die("picture", "fewer rows than ranks");
    }
    size[0] = picture->width;
    size[1] = picture->height;
    check_mpi("MPI_Bcast", MPI_Bcast(size, 2, MPI_UNSIGNED_LONG_LONG, 0, job->comm));
    picture->width = size[0];
    picture->height = size[1];
    job->n = picture->height;
    job->problem = picture;
}

static void release(struct job *job)
{
    struct picture *picture = job->problem;
    free(picture->pixels);
    free(picture);
}

static size_t answer_bytes(const struct job *job)
{
    const struct picture *picture = job->problem;
    return picture->width * picture->height * sizeof(float);
}

static double sequential(const struct job *job, void *answer_out)
{
    const struct picture *picture = job->problem;
    struct span all = { 0, picture->height };
    size_t half = sor_half(picture->width), bytes = picture->height * half * sizeof(float);
    float *u[2] = { app_memory(bytes), app_memory(bytes) };
    struct sor_plan plan;

    sor_plan_init(&plan, picture->width, picture->height, all, picture->pixels, picture->width);
    sor_split(picture->pixels, picture->width, all, u, half);
    double start = now();
    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        sor_relax(&plan, u, half, 0);
        sor_relax(&plan, u, half, 1);
    }
    double seconds = now() - start;
    sor_join(answer_out, picture->width, all, u, half);
    sor_plan_fini(&plan);
    free(u[0]);
    free(u[1]);
    return seconds;
}

static const char *save(const struct job *job, const void *answer, const char *file)
{
    struct picture *picture = job->problem, out = *picture;
    out.pixels = (float *)answer;
    return pgm_write(file, &out);
}

extern const struct version sor_dsm, sor_mpi;

const struct app app_sor = {
    .name = "sor",
    .what = "noise taken off a picture, its edges kept: red-black overrelaxation, 100 sweeps",
    .n_is = "rows of the picture, as many columns",
    .n = 1024,
    .quick_n = 96,
    .least = 2,
    .most = 16384,
    .prepare = prepare,
    .release = release,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .save = save,
    .dsm = &sor_dsm,
    .mpi = &sor_mpi,
};
