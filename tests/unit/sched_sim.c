/* SPDX-License-Identifier: BSD-3-Clause */
/* What the simulator is made of: formulas, random numbers, events, samples; and small runs known by hand. */
#include "sched/sim/sim.h"
#include "suite.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void near_to(double value, double expected, double within, const char *what)
{
    ck_assert_msg(fabs(value - expected) <= within, "%s: %.6g, not %.6g", what, value, expected);
}

/* ---- formulas ----------------------------------------------------------------------------------- */

/* The published figures, to the digits in which they are printed. */
START_TEST(the_table_of_models)
{
    static const double table[][8] = {
        { 0.5, 2, 1.333, 1.067, 1.384, 1.618, 1.336, 1.266 },
        { 0.8, 5, 2.778, 1.694, 1.694, 2.562, 1.636, 1.947 },
        { 0.9, 10, 5.263, 2.908, 2.051, 3.541, 1.897, 2.614 },
    };

    for (int i = 0; i < 3; i++) {
        double rho = table[i][0];

        near_to(sim_model_mm1(rho), table[i][1], 1e-9, "isolated");
        near_to(sim_model_threshold(rho, 1, 1), table[i][2], 6e-4, "T1 L1");
        near_to(sim_model_threshold(rho, 1, 3), table[i][3], 6e-4, "T1 L3");
        near_to(sim_model_threshold(rho, 2, 3), table[i][4], 6e-4, "T2 L3");
        near_to(sim_model_receiver(rho, 1), table[i][5], 6e-4, "receiver L1");
        near_to(sim_model_receiver(rho, 3), table[i][6], 6e-4, "receiver L3");
        near_to(sim_model_choices(rho, 2), table[i][7], 6e-4, "two choices");
    }
}
END_TEST

START_TEST(closed_forms)
{
    for (int percent = 5; percent < 100; percent += 5) {
        double rho = percent / 100., y = (1 + rho - sqrt(1 + 2 * rho - 3 * rho * rho)) / 2;

        near_to(sim_model_mmk(rho, 1), 1 / (1 - rho), 1e-9, "M/M/1 as M/M/K");
        near_to(sim_model_mmk(rho, 2), 1 / (1 - rho * rho), 1e-9, "M/M/2");
        near_to(sim_model_mg1(rho, 1), 1 / (1 - rho), 1e-9, "M/M/1 as M/G/1");
        near_to(sim_model_choices(rho, 1), 1 / (1 - rho), 1e-9, "one choice");
        near_to(sim_model_receiver(rho, 1), (1 - y) / (1 - rho), 1e-9, "receiver L1");
        for (int probes = 1; probes <= 8; probes++) {
            near_to(sim_model_threshold(rho, 1, probes), 1 / (1 - pow(rho, probes + 1)), 1e-6,
                    "threshold T1");
        }
        /* A threshold that is never reached: every node alone. */
        near_to(sim_model_threshold(rho, 2000, 3), 1 / (1 - rho), 1e-6, "threshold far away");
    }
    near_to(sim_model_mmk(0.9, 100000), 1, 1e-6, "a very large pool");
}
END_TEST

START_TEST(where_they_cross)
{
    near_to(sim_model_crossing(1), 0.755, 6e-4, "L = 1");
    near_to(sim_model_crossing(3), 0.785, 6e-4, "L = 3");
    near_to(sim_model_crossing(5), 0.813, 6e-4, "L = 5");
}
END_TEST

/* ---- random numbers ----------------------------------------------------------------------------- */

START_TEST(distributions)
{
    static const struct {
        const char *text;
        double cv2, within; /* of the mean, and 20 times that of the variance */
    } cases[] = {
        { "exp", 1, 0.005 },
        { "poisson", 1, 0.005 },
        { "det", 0, 1e-9 },
        { "erlang:4", 0.25, 0.005 },
        { "hyper:1", 1, 0.005 },
        { "hyper:6", 6, 0.015 },
        { "pareto:5", 1. / 15, 0.005 },
    };
    enum { DRAWS = 400000 };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sim_dist_t dist;
        sim_rng_t rng;
        const char *why;
        double sum = 0, squares = 0, mean;

        ck_assert(sim_dist_parse(cases[i].text, &dist, &why));
        sim_rng_seed(&rng, 7, 7);
        for (int n = 0; n < DRAWS; n++) {
            double x = sim_dist_draw(&dist, &rng);

            ck_assert(x >= 0 && isfinite(x));
            sum += x;
            squares += x * x;
        }
        mean = sum / DRAWS;
        near_to(sim_dist_cv2(&dist), cases[i].cv2, 1e-9, cases[i].text);
        near_to(mean, 1, cases[i].within, cases[i].text);
        near_to(squares / DRAWS - mean * mean, cases[i].cv2, 20 * cases[i].within, cases[i].text);
    }
}
END_TEST

START_TEST(distributions_that_are_none)
{
    static const char *const bad[] = { "",         "normal",     "exp:1",     "erlang",
                                       "erlang:0", "erlang:2.5", "hyper:0.5", "hyper:x",
                                       "pareto:1", "pareto:nan", "det:",      "erlang:4x",
                                       "hyper:1e9" };
    sim_dist_t dist;
    const char *why;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why = NULL;
        ck_assert_msg(!sim_dist_parse(bad[i], &dist, &why), "%s", bad[i]);
        ck_assert_ptr_nonnull(why);
    }
    ck_assert(isinf(sim_dist_cv2(&(sim_dist_t){ .shape = SIM_PARETO, .parameter = 1.5 })));
}
END_TEST

START_TEST(streams)
{
    sim_rng_t a, b, other;
    int times[7] = { 0 }, equal = 0;

    sim_rng_seed(&a, 1, 1);
    sim_rng_seed(&b, 1, 1);
    sim_rng_seed(&other, 1, 2);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = sim_rng_next(&a);

        ck_assert_uint_eq(x, sim_rng_next(&b));
        equal += x == sim_rng_next(&other);
        times[sim_rng_below(&other, 7)]++;
    }
    ck_assert_int_eq(equal, 0);
    for (int i = 0; i < 7; i++) {
        near_to(times[i], 10000, 500, "a die of seven sides");
    }
}
END_TEST

/* ---- events, samples ---------------------------------------------------------------------------- */

START_TEST(events_in_order)
{
    sim_heap_t heap = { 0 };
    sim_event_t event, last = { .at = -1 };
    sim_rng_t rng;
    size_t inside = 0, taken = 0;

    sim_rng_seed(&rng, 3, 3);
    for (int i = 0; i < 200000; i++) {
        /* Few different times, so that many are equal. */
        event = (sim_event_t){ .at = last.at + 1 + (double)sim_rng_below(&rng, 50) };
        if (inside == 0 || sim_rng_below(&rng, 100) < 52) {
            ck_assert(sim_heap_put(&heap, event));
            inside++;
        } else {
            ck_assert(sim_heap_take(&heap, &event));
            ck_assert(event.at > last.at || (event.at == last.at && event.order > last.order));
            last = event;
            inside--;
            taken++;
        }
    }
    while (sim_heap_take(&heap, &event)) {
        ck_assert(event.at > last.at || (event.at == last.at && event.order > last.order));
        last = event;
        inside--;
    }
    ck_assert_uint_eq(inside, 0);
    ck_assert_uint_gt(taken, 50000);
    sim_heap_fini(&heap);
}
END_TEST

START_TEST(percentiles)
{
    static sim_histogram_t h, more;

    ck_assert(isnan(sim_histogram_percentile(&h, 50)));
    for (int i = 1; i <= 10000; i++) {
        sim_histogram_add(i % 2 ? &h : &more, i * 1e-3);
    }
    sim_histogram_merge(&h, &more);
    ck_assert_uint_eq(h.count, 10000);
    for (int p = 1; p <= 100; p++) {
        near_to(sim_histogram_percentile(&h, p) / (p * 0.1), 1, 0.002, "percentile");
    }
    sim_histogram_add(&more, 0);
    sim_histogram_add(&more, 1e300);
    ck_assert_uint_eq(more.bin[0], 1);
    ck_assert_uint_eq(more.bin[SIM_BINS - 1], 1);
}
END_TEST

START_TEST(confidence)
{
    const double values[] = { 10, 12, 11, 13, 14 };
    double mean;

    near_to(sim_confidence(values, 5, &mean), 2.776 * sqrt(2.5 / 5), 1e-3, "five values");
    near_to(mean, 12, 1e-9, "mean");
    ck_assert(isnan(sim_confidence(values, 1, &mean)));
    near_to(mean, 10, 1e-9, "mean of one");
}
END_TEST

/* ---- runs --------------------------------------------------------------------------------------- */

static sim_result_t run(sim_setup_t setup, const char *policy)
{
    static sim_histogram_t response, ratio;
    sim_result_t result = { .response = &response, .ratio = &ratio };
    static const double one = 1;
    char why[160];

    setup.speeds = setup.speeds ? setup.speeds : &one;
    setup.speed_count = setup.speed_count ? setup.speed_count : 1;
    setup.slots = setup.slots ? setup.slots : 1;
    setup.sources = setup.sources ? setup.sources : setup.nodes;
    setup.mean_s = 1;
    setup.arrival.shape = setup.service.shape = SIM_EXP;
    setup.policy = sim_policy_parse(policy, &setup.params, why);
    ck_assert_msg(setup.policy != NULL, "%s", why);
    ck_assert_int_eq(sim_run(&setup, &result), SIM_OK);
    return result;
}

/* Three jobs of 4 s at node 0 at 0, 1 and 2 s; node 1 has nothing to do. */
static sim_arrival_t three[] = { { 0, 4, 0 }, { 1, 4, 0 }, { 2, 4, 0 } };
static const sim_trace_t three_jobs = { .arrival = three, .count = 3, .nodes = 1 };

START_TEST(runs_known_by_hand)
{
    const sim_setup_t two = { .nodes = 2, .trace = &three_jobs };
    sim_setup_t setup = two;
    sim_result_t r;

    r = run(two, "local"); /* ends at 4, 8, 12 */
    near_to(r.mean_s, (4 + 7 + 10) / 3., 1e-9, "local");
    near_to(r.span_s, 12, 1e-9, "local: span");
    near_to(r.utilisation, 0.5, 1e-9, "local: busy");
    r = run(two, "threshold"); /* the second goes over at once, the third finds none */
    near_to(r.mean_s, (4 + 4 + 6) / 3., 1e-9, "threshold");
    near_to(r.probes, 2 / 3., 1e-9, "threshold: probes");
    near_to(r.transfers, 1 / 3., 1e-9, "threshold: transfers");
    setup.probe_s = 0.5;
    setup.transfer_s = 1; /* asked at 1, known at 1.5, there at 2.5 */
    r = run(setup, "threshold");
    near_to(r.mean_s, (4 + 5.5 + 6) / 3., 1e-9, "threshold with costs");
    r = run(two, "receiver,reprobe=0"); /* node 1 never had a job, and so never asks */
    near_to(r.mean_s, 7, 1e-9, "receiver");
    setup = two;
    setup.speeds = (const double[]){ 1, 2 };
    setup.speed_count = 2;
    r = run(setup, "threshold"); /* the other is twice as fast: it is free again at 3 */
    near_to(r.mean_s, (4 + 2 + 6) / 3., 1e-9, "two speeds");
    setup = two;
    setup.slots = 2;
    r = run(setup, "local"); /* two at once; the third begins at 4 */
    near_to(r.mean_s, (4 + 4 + 6) / 3., 1e-9, "two slots");
}
END_TEST

/* Node 1 becomes idle at 1.5 and takes the job that waits at node 0 since 1. */
START_TEST(work_is_fetched)
{
    static sim_arrival_t jobs[] = { { 0, 4, 0 }, { 0.5, 1, 1 }, { 1, 4, 0 } };
    static const sim_trace_t trace = { .arrival = jobs, .count = 3, .nodes = 2 };
    sim_setup_t setup = { .nodes = 2, .trace = &trace };

    near_to(run(setup, "receiver,reprobe=0").mean_s, (4 + 1 + 4.5) / 3, 1e-9, "receiver");
    near_to(run(setup, "symmetric").mean_s, (4 + 1 + 4.5) / 3, 1e-9, "symmetric");
    setup.probe_s = 0.5;
    setup.transfer_s = 1;
    near_to(run(setup, "receiver,reprobe=0").mean_s, (4 + 1 + 6) / 3., 1e-9, "with costs");
}
END_TEST

static void equal_results(const sim_result_t *a, const sim_result_t *b)
{
    ck_assert(a->mean_s == b->mean_s && a->events == b->events && a->probes == b->probes &&
              a->utilisation == b->utilisation);
}

START_TEST(deterministic)
{
    static const char *const policies[] = { "local",    "random",    "threshold",  "shortest",
                                            "receiver", "symmetric", "choices,L=2" };

    for (int i = 0; i < 14; i++) {
        sim_setup_t setup = { .nodes = 20,
                              .rho = 0.8,
                              .jobs = 5000,
                              .warmup = 500,
                              .seed = 4,
                              .probe_s = i < 7 ? 0 : 0.02,
                              .transfer_s = i < 7 ? 0 : 0.1 };
        sim_result_t a = run(setup, policies[i % 7]), b = run(setup, policies[i % 7]), c;

        equal_results(&a, &b);
        setup.seed = 5;
        c = run(setup, policies[i % 7]);
        ck_assert(a.mean_s != c.mean_s);
        ck_assert_uint_eq(a.jobs, 5000);
    }
}
END_TEST

/* All policies get the same jobs: what they differ in is their merit. */
START_TEST(the_same_jobs_for_all)
{
    sim_setup_t setup = { .nodes = 10, .rho = 0.7, .jobs = 2000, .seed = 9 };
    FILE *first = tmpfile(), *second = tmpfile();
    char a[200], b[200];

    ck_assert(first && second);
    setup.record = first;
    run(setup, "local");
    setup.record = second;
    run(setup, "symmetric,L=2");
    rewind(first);
    rewind(second);
    for (int i = 0; i < 2000; i++) {
        ck_assert_ptr_nonnull(fgets(a, sizeof a, first));
        ck_assert_ptr_nonnull(fgets(b, sizeof b, second));
        ck_assert_str_eq(a, b);
    }
    ck_assert_ptr_null(fgets(a, sizeof a, first));
    fclose(first);
    fclose(second);
}
END_TEST

START_TEST(more_than_can_be_done)
{
    sim_setup_t setup = { .nodes = 4, .sources = 1, .rho = 0.9, .jobs = 10000 };

    ck_assert(run(setup, "local").unstable); /* one node gets the work of four */
    ck_assert(!run(setup, "symmetric").unstable);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_sim");
    TCase *tcase = tcase_create("sim");
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, the_table_of_models);
    tcase_add_test(tcase, closed_forms);
    tcase_add_test(tcase, where_they_cross);
    tcase_add_test(tcase, distributions);
    tcase_add_test(tcase, distributions_that_are_none);
    tcase_add_test(tcase, streams);
    tcase_add_test(tcase, events_in_order);
    tcase_add_test(tcase, percentiles);
    tcase_add_test(tcase, confidence);
    tcase_add_test(tcase, runs_known_by_hand);
    tcase_add_test(tcase, work_is_fetched);
    tcase_add_test(tcase, deterministic);
    tcase_add_test(tcase, the_same_jobs_for_all);
    tcase_add_test(tcase, more_than_can_be_done);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
