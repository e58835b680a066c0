/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * models.c - what queueing theory says about the simulated system, in units of the mean service time.
 *
 * Sharing policies: infinitely many nodes of one slot, Poisson arrivals, exponential service, probes and
 * transfers that cost nothing. Then the nodes are independent of each other, and each is a birth and death
 * process whose rates depend on what the others are like on average: a fixed point to be found.
 */
#include "sim.h"

#include <math.h>
#include <string.h>

double sim_model_mm1(double rho)
{
    return 1 / (1 - rho);
}

/* Pollaczek and Khinchine. */
double sim_model_mg1(double rho, double cv2)
{
    return 1 + rho * (1 + cv2) / (2 * (1 - rho));
}

/* Erlang's C by his B, whose recursion is stable. */
double sim_model_mmk(double rho, int servers)
{
    double offered = rho * servers, b = 1, c;

    for (int k = 1; k <= servers; k++) {
        b = offered * b / (k + offered * b);
    }
    c = b / (1 - rho * (1 - b));
    return 1 + c / (servers * (1 - rho));
}

/* The shortest of d random nodes: Mitzenmacher; Vvedenskaya, Dobrushin, Karpelevich; 1996. */
double sim_model_choices(double rho, int choices)
{
    double sum = 0, exponent = 0, power = 1, term;

    if (choices == 1) {
        return sim_model_mm1(rho);
    }
    /* exponent = (d^k - d) / (d - 1) = d + d^2 + ... + d^(k-1) */
    do {
        term = pow(rho, exponent);
        sum += term;
        power *= choices;
        exponent += power;
    } while (term > 1e-12);
    return sum;
}

/* Arrivals that a node sees below T and from T on, when a part x of the nodes has T or more. */
typedef struct {
    double below, above;
} rates_t;

static rates_t rates_of(double rho, int probes, double x)
{
    double series = 0, power = 1;

    for (int i = 0; i <= probes; i++) {
        series += power; /* (1 - x^(L+1)) / (1 - x), also where x is 1 */
        power *= x;
    }
    return (rates_t){ .below = rho * series, .above = rho * power / x };
}

/* Weights of the states with T or more, and with less; and weighted by the number of jobs. */
typedef struct {
    double many, few, jobs;
} weights_t;

static weights_t weights_of(rates_t r, int threshold)
{
    weights_t w = { 0 };
    double power = 1;

    for (int k = 0; k < threshold; k++) {
        w.few += power;
        w.jobs += k * power;
        power *= r.below;
    }
    w.many = power / (1 - r.above);
    w.jobs += power * (threshold / (1 - r.above) + r.above / pow(1 - r.above, 2));
    return w;
}

double sim_model_threshold(double rho, int threshold, int probes)
{
    double low = 1e-12, high = 1;
    weights_t w;

    for (int i = 0; i < 100; i++) {
        double x = (low + high) / 2;

        w = weights_of(rates_of(rho, probes, x), threshold);
        *(w.many / (w.many + w.few) > x ? &low : &high) = x;
    }
    w = weights_of(rates_of(rho, probes, (low + high) / 2), threshold);
    return w.jobs / (w.many + w.few) / rho;
}

double sim_model_receiver(double rho, int probes)
{
    double low = 0, high = rho, y = 0;

    for (int i = 0; i < 100; i++) {
        y = (low + high) / 2;
        *(y < rho - rho * (1 - rho) / pow(1 - y, probes) ? &low : &high) = y;
    }
    return pow(1 - y, probes) / (1 - rho);
}

double sim_model_crossing(int probes)
{
    double low = 0.01, high = 0.99;

    for (int i = 0; i < 60; i++) {
        double rho = (low + high) / 2;
        bool sender = sim_model_threshold(rho, 1, probes) < sim_model_receiver(rho, probes);

        *(sender ? &low : &high) = rho;
    }
    return (low + high) / 2;
}

/* ---- which one fits ----------------------------------------------------------------------------- */

static bool alike(const sim_setup_t *setup)
{
    for (int i = 1; i < setup->speed_count; i++) {
        if (setup->speeds[i] != setup->speeds[0]) {
            return false;
        }
    }
    return setup->sources == setup->nodes;
}

static double of_islands(const sim_setup_t *setup)
{
    if (setup->slots == 1) {
        return sim_model_mg1(setup->rho, sim_dist_cv2(&setup->service));
    }
    return setup->service.shape == SIM_EXP ? sim_model_mmk(setup->rho, (int)setup->slots) : NAN;
}

static double of_sharing(const sim_setup_t *setup)
{
    const byre__policy_params_t *p = &setup->params;
    const byre__policy_t *policy = setup->policy;
    int others = setup->nodes - 1, probes = p->probes < others ? p->probes : others;

    if (setup->slots != 1 || setup->service.shape != SIM_EXP || others < 1) {
        return NAN;
    }
    if (policy == &byre__policy_random) {
        return sim_model_threshold(setup->rho, p->threshold, 1);
    }
    if (policy == &byre__policy_threshold ||
        (policy == &byre__policy_shortest && p->threshold == 1)) {
        return sim_model_threshold(setup->rho, p->threshold, probes);
    }
    if (policy == &byre__policy_receiver && p->threshold == 1 && p->reprobe_s == 0) {
        return sim_model_receiver(setup->rho, probes);
    }
    if (policy == &byre__policy_symmetric && p->threshold == 1 && p->probes >= others) {
        return sim_model_mmk(setup->rho, setup->nodes);
    }
    return policy == &sim_policy_choices ? sim_model_choices(setup->rho, probes + 1) : NAN;
}

double sim_model_of(const sim_setup_t *setup)
{
    bool costs = setup->probe_s > 0 || setup->transfer_s > 0;
    double unit = setup->mean_s / setup->speeds[0];

    if (setup->trace || setup->arrival.shape != SIM_EXP || !alike(setup)) {
        return NAN;
    }
    if (setup->policy == &byre__policy_local) {
        return unit * of_islands(setup);
    }
    return costs ? NAN : unit * of_sharing(setup);
}
