/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c - byre sim pool: why one pool of n processors is better than n machines of their own. Three systems of
 * the same capacity and load: n queues of one processor each; one queue for n; one processor n times as fast.
 */
#include "sim.h"

#include <stdlib.h>

typedef struct {
    const char *what;
    sim_setup_t setup;
} system_t;

static void make_systems(const sim_options_t *options, int n, const double *one, const double *fast,
                         system_t system_out[static 3])
{
    sim_setup_t base = options->setup;

    base.policy = &byre__policy_local;
    base.speed_count = 1;
    base.speeds = one;
    system_out[0] = (system_t){ .what = "%d machines, a queue each", .setup = base };
    base.nodes = base.sources = 1;
    base.slots = (uint32_t)n;
    system_out[1] = (system_t){ .what = "one queue for %d processors", .setup = base };
    base.slots = 1;
    base.speeds = fast;
    system_out[2] = (system_t){ .what = "one processor, %d times as fast", .setup = base };
}

static void row_json(const sim_options_t *options, const char *what, const sim_row_t *row, int n)
{
    printf("{\"system\": \"%s\", \"n\": %d, \"rho\": %.9g, \"theory_s\": %.9g, \"mean_s\": %.9g, "
           "\"ci95_s\": %.9g, \"seed\": %llu}\n",
           what, n, row->rho, row->theory_s, row->mean_s, row->ci_s,
           (unsigned long long)options->seed);
}

static int one_load(const sim_options_t *options, double rho, int n, sim_progress_t *progress)
{
    static const char *const keys[] = { "isolated", "queue", "fast" };
    double one = 1, fast = n, first = 0;
    system_t system[3];

    make_systems(options, n, &one, &fast, system);
    if (!options->json) {
        printf("rho %g\n", rho);
    }
    for (int i = 0; i < 3; i++) {
        sim_row_t row;
        char what[64];

        system[i].setup.rho = rho;
        if (sim_measure(&system[i].setup, options, keys[i], progress, &row) != SIM_OK) {
            return SIM_FAILED;
        }
        if (options->json) {
            row_json(options, keys[i], &row, n);
            continue;
        }
        first = i == 0 ? row.theory_s : first;
        snprintf(what, sizeof what, system[i].what, n);
        printf("  %-36s %9.4f %9.4f %8.4f %8.2f\n", what, row.theory_s, row.mean_s, row.ci_s,
               first / row.theory_s);
        fflush(stdout);
    }
    return SIM_OK;
}

int sim_pool(const sim_options_t *options)
{
    const sim_setup_t *setup = &options->setup;
    int n = setup->nodes;
    sim_progress_t progress = sim_progress_start(options, 3 * (size_t)options->loads);

    if (!options->json) {
        printf("%d processors; Poisson arrivals, exponential service of mean %g s on one of them.\n"
               "Mean response time in seconds; gain: how much less than that of machines apart.\n\n"
               "  %-36s %9s %9s %8s %8s\n",
               n, setup->mean_s, "", "formula", "simulated", "+-95%", "gain");
    }
    for (int i = 0; i < options->loads; i++) {
        if (one_load(options, options->rho[i], n, &progress) != SIM_OK) {
            return SIM_FAILED;
        }
    }
    return SIM_OK;
}
