/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c - rows for people, or one JSON object a line. */
#include "sim.h"

#include <math.h>
#include <string.h>

static int name_width(const sim_options_t *options)
{
    size_t width = strlen("policy");

    for (int i = 0; i < options->choices; i++) {
        size_t length = strlen(options->choice[i].name);

        width = length > width ? length : width;
    }
    return (int)width;
}

static void describe_costs(const sim_setup_t *setup)
{
    if (setup->probe_s > 0 || setup->transfer_s > 0) {
        printf("; a probe takes %g s, a transfer %g s", setup->probe_s, setup->transfer_s);
    }
    if (setup->sources < setup->nodes) {
        printf("; jobs come only at %d of them", setup->sources);
    }
    putchar('\n');
}

static void describe(const sim_options_t *options)
{
    const sim_setup_t *setup = &options->setup;

    printf("%d nodes of %u slot%s", setup->nodes, setup->slots, setup->slots == 1 ? "" : "s");
    if (setup->speed_count > 1 || setup->speeds[0] != 1) {
        fputs(", speeds", stdout);
        for (int i = 0; i < setup->speed_count && i < setup->nodes; i++) {
            printf("%c%g", i ? ',' : ' ', setup->speeds[i]);
        }
    }
    if (setup->trace) {
        printf("; %zu jobs of %s", setup->trace->count, options->trace);
    } else {
        printf("; arrivals %s, service %s of mean %g s; %d x %llu jobs", setup->arrival.name,
               setup->service.name, setup->mean_s, options->reps, (unsigned long long)setup->jobs);
    }
    describe_costs(setup);
}

void sim_report_head(const sim_options_t *options)
{
    if (options->json) {
        return;
    }
    describe(options);
    puts("Response times in seconds; theory: no costs, infinitely many nodes.\n");
    printf("%5s  %-*s %8s %7s %8s %8s %8s %8s %7s %7s %6s %6s\n", "rho", name_width(options),
           "policy", "mean", "+-95%", "theory", "p50", "p90", "p99", "ratio", "probes", "moved",
           "busy");
}

static void figure(int width, double value)
{
    if (isfinite(value)) {
        printf(" %*.*f", width, value < 1000 ? 3 : value < 100000 ? 1 : 0, value);
    } else {
        printf(" %*s", width, "-");
    }
}

static void row_text(const sim_options_t *options, const sim_row_t *row)
{
    printf("%5.3g  %-*s", row->rho, name_width(options), row->policy);
    figure(8, row->mean_s);
    figure(7, row->ci_s);
    figure(8, row->theory_s);
    figure(8, row->p50_s);
    figure(8, row->p90_s);
    figure(8, row->p99_s);
    figure(7, row->ratio);
    figure(7, row->probes);
    figure(6, row->transfers);
    figure(6, row->utilisation);
    puts(row->unstable ? "  queues grow for ever" : "");
}

static void key(const char *name, double value)
{
    if (isfinite(value)) {
        printf(", \"%s\": %.9g", name, value);
    } else {
        printf(", \"%s\": null", name);
    }
}

/* Names hold nothing that JSON would have to quote: they are policies that were understood. */
static void row_json(const sim_options_t *options, const sim_row_t *row)
{
    printf("{\"policy\": \"%s\"", row->policy);
    key("rho", row->rho);
    key("nodes", options->setup.nodes);
    key("slots", options->setup.slots);
    key("mean_s", row->mean_s);
    key("ci95_s", row->ci_s);
    key("theory_s", row->theory_s);
    key("p50_s", row->p50_s);
    key("p90_s", row->p90_s);
    key("p99_s", row->p99_s);
    key("ratio", row->ratio);
    key("ratio_p50", row->ratio_p50);
    key("ratio_p99", row->ratio_p99);
    key("probes_per_job", row->probes);
    key("transfers_per_job", row->transfers);
    key("refused_per_job", row->refused);
    key("utilisation", row->utilisation);
    key("span_s", row->span_s);
    key("probe_s", options->setup.probe_s);
    key("transfer_s", options->setup.transfer_s);
    key("jobs", (double)row->jobs);
    key("events", (double)row->events);
    key("reps", row->reps);
    printf(", \"seed\": %llu, \"unstable\": %s}\n", (unsigned long long)options->seed,
           row->unstable ? "true" : "false");
}

void sim_report_row(const sim_options_t *options, const sim_row_t *row)
{
    if (options->json) {
        row_json(options, row);
    } else {
        row_text(options, row);
    }
    fflush(stdout);
}
