/* SPDX-License-Identifier: BSD-3-Clause */
#include "nbody.h"

#include <math.h>
#include <stdlib.h>

#define STEP 0.01
#define SOFTENING 1e-3 /* two bodies at one place do not attract for ever */

struct body nbody_body(size_t i, size_t n)
{
    return (struct body){ noise_unit(3 * i), noise_unit(3 * i + 1), noise_unit(3 * i + 2),
                          1 / (double)n };
}

void nbody_accelerate(const struct body *bodies, size_t n, struct span span,
                      struct velocity *velocities)
{
    for (size_t i = span.first; i < span.end; i++) {
        struct body self = bodies[i];
        double x = 0, y = 0, z = 0;
        for (size_t j = 0; j < n; j++) {
            double dx = bodies[j].x - self.x, dy = bodies[j].y - self.y, dz = bodies[j].z - self.z;
            double square = dx * dx + dy * dy + dz * dz + SOFTENING;
            double pull = bodies[j].mass / (square * sqrt(square));
            x += dx * pull;
            y += dy * pull;
            z += dz * pull;
        }
        velocities[i - span.first].x += STEP * x;
        velocities[i - span.first].y += STEP * y;
        velocities[i - span.first].z += STEP * z;
    }
}

void nbody_move(struct body *bodies, const struct velocity *velocities, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bodies[i].x += STEP * velocities[i].x;
        bodies[i].y += STEP * velocities[i].y;
        bodies[i].z += STEP * velocities[i].z;
    }
}

static size_t answer_bytes(const struct job *job)
{
    return job->n * sizeof(struct body);
}

static double sequential(const struct job *job, void *answer_out)
{
    struct body *bodies = answer_out;
    struct velocity *velocities = app_memory(job->n * sizeof *velocities);

    for (size_t i = 0; i < job->n; i++) bodies[i] = nbody_body(i, job->n);
    double start = now();
    for (int step = 0; step < NBODY_STEPS; step++) {
        nbody_accelerate(bodies, job->n, (struct span){ 0, job->n }, velocities);
        nbody_move(bodies, velocities, job->n);
    }
    double seconds = now() - start;
    free(velocities);
    return seconds;
}

extern const struct version nbody_dsm, nbody_mpi;

const struct app app_nbody = {
    .name = "nbody",
    .what = "bodies that attract one another, all pairs, 20 steps",
    .n_is = "bodies",
    .n = 2048,
    .quick_n = 200,
    .least = 1,
    .most = 1 << 20,
    .answer_bytes = answer_bytes,
    .sequential = sequential,
    .dsm = &nbody_dsm,
    .mpi = &nbody_mpi,
};
