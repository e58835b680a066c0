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

static void relax_row(const struct sor_plan *plan, size_t row, float *u, const float *above,
                      const float *below, size_t first)
{
    size_t width = plan->width;
    const float *across = plan->across + row * (width + 1), *down = plan->down + row * width;
    const float *scale = plan->scale + row * width, *goal = plan->goal + row * width;

    for (size_t i = first; i < width; i += 2) {
        size_t left = i - (i > 0), right = i + (i + 1 < width);
        float sum = goal[i] + across[i] * u[left] + across[i + 1] * u[right] + down[i] * above[i] +
                    down[i + width] * below[i];
        u[i] += OMEGA * (sum * scale[i] - u[i]);
    }
}

void sor_relax(const struct sor_plan *plan, float *u, size_t stride, unsigned colour)
{
    for (size_t row = 0; row < span_length(plan->rows); row++) {
        size_t y = plan->rows.first + row;
        float *here = u + row * stride;
        /* Beyond a border the weight is 0: any row will do. */
        const float *above = y > 0 ? here - stride : here;
        const float *below = y + 1 < plan->height ? here + stride : here;
        relax_row(plan, row, here, above, below, (y + colour) % 2);
    }
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
    struct sor_plan plan;
    float *u = answer_out;

    memcpy(u, picture->pixels, answer_bytes(job));
    sor_plan_init(&plan, picture->width, picture->height, (struct span){ 0, picture->height },
                  picture->pixels, picture->width);
    double start = now();
    for (int sweep = 0; sweep < SOR_SWEEPS; sweep++) {
        sor_relax(&plan, u, picture->width, 0);
        sor_relax(&plan, u, picture->width, 1);
    }
    double seconds = now() - start;
    sor_plan_fini(&plan);
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
