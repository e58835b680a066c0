/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64: what its authors advise for seeding. */
static uint64_t mix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

void sim_rng_seed(sim_rng_t *rng, uint64_t seed, uint64_t stream)
{
    uint64_t state = seed, other = stream ^ 0x5851f42d4c957f2d;

    state = mix(&state) ^ mix(&other);
    for (int i = 0; i < 4; i++) {
        rng->word[i] = mix(&state);
    }
}

static uint64_t turned(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t sim_rng_next(sim_rng_t *rng)
{
    uint64_t *w = rng->word, result = turned(w[0] + w[3], 23) + w[0], t = w[1] << 17;

    w[2] ^= w[0];
    w[3] ^= w[1];
    w[1] ^= w[2];
    w[0] ^= w[3];
    w[2] ^= t;
    w[3] = turned(w[3], 45);
    return result;
}

uint64_t sim_rng_below(sim_rng_t *rng, uint64_t below)
{
    return (uint64_t)((unsigned __int128)sim_rng_next(rng) * below >> 64);
}

double sim_rng_unit(sim_rng_t *rng)
{
    return (double)((sim_rng_next(rng) >> 11) + 1) * 0x1p-53;
}

/* ---- distributions ------------------------------------------------------------------------------ */

typedef struct {
    const char *name;
    const char *why; /* it is not right */
    double least;    /* of the parameter; 0: it has none */
    enum sim_shape shape;
    bool whole;
} shape_t;

static const shape_t shapes[] = {
    { "exp", "exp takes no number", 0, SIM_EXP, false },
    { "poisson", "poisson takes no number", 0, SIM_EXP, false },
    { "det", "det takes no number", 0, SIM_DET, false },
    { "erlang", "write erlang:K, K stages, a whole number from 1", 1, SIM_ERLANG, true },
    { "hyper", "write hyper:C, C the squared coefficient of variation, from 1", 1, SIM_HYPER,
      false },
    { "pareto", "write pareto:A, A the exponent above 1 (up to 2 the variance is infinite)", 1.001,
      SIM_PARETO, false },
};

static const shape_t *shape_of(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strlen(shapes[i].name) == length && strncmp(shapes[i].name, text, length) == 0) {
            return &shapes[i];
        }
    }
    return NULL;
}

bool sim_dist_parse(const char *text, sim_dist_t *dist_out, const char **why_out)
{
    size_t length = strcspn(text, ":");
    const shape_t *shape = shape_of(text, length);
    double parameter = 0;
    char *end;

    if (!shape || strlen(text) >= sizeof dist_out->name) {
        *why_out = "there are exp (poisson), det, erlang:K, hyper:C and pareto:A";
        return false;
    }
    *why_out = shape->why;
    if ((text[length] == ':') != (shape->least > 0)) {
        return false;
    }
    if (shape->least > 0) {
        parameter = strtod(text + length + 1, &end);
        if (end == text + length + 1 || *end != '\0' || !(parameter >= shape->least) ||
            parameter > 1e6 || (shape->whole && parameter != floor(parameter))) {
            return false;
        }
    }
    *dist_out = (sim_dist_t){ .shape = shape->shape, .parameter = parameter };
    strcpy(dist_out->name, text);
    return true;
}

static double erlang(int stages, sim_rng_t *rng)
{
    double sum = 0;

    for (int i = 0; i < stages; i++) {
        sum -= log(sim_rng_unit(rng));
    }
    return sum / stages;
}

/* Two exponentials, each of which has half of the load (balanced means). */
static double hyper(double cv2, sim_rng_t *rng)
{
    double p = (1 + sqrt((cv2 - 1) / (cv2 + 1))) / 2;
    double branch = sim_rng_unit(rng) <= p ? p : 1 - p;

    return -log(sim_rng_unit(rng)) / (2 * branch);
}

double sim_dist_draw(const sim_dist_t *dist, sim_rng_t *rng)
{
    double a = dist->parameter;

    switch (dist->shape) {
    case SIM_EXP:
        return -log(sim_rng_unit(rng));
    case SIM_ERLANG:
        return erlang((int)a, rng);
    case SIM_HYPER:
        return hyper(a, rng);
    case SIM_PARETO:
        return (a - 1) / a * pow(sim_rng_unit(rng), -1 / a);
    case SIM_DET:
        break;
    }
    return 1;
}

double sim_dist_cv2(const sim_dist_t *dist)
{
    double a = dist->parameter;

    switch (dist->shape) {
    case SIM_EXP:
        return 1;
    case SIM_ERLANG:
        return 1 / a;
    case SIM_HYPER:
        return a;
    case SIM_PARETO:
        return a > 2 ? 1 / (a * (a - 2)) : INFINITY;
    case SIM_DET:
        break;
    }
    return 0;
}
