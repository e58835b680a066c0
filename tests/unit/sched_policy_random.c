/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every policy in a world where anything happens in any order: many jobs at once, answers that come late or not at
 * all, nodes that die and come back. What must hold whatever happens:
 *  - every job is decided on exactly once, after all questions have been answered
 *  - nothing is asked of, or sent to, this node or a dead one
 *  - a place that was claimed is used or given back before `answered' returns
 *  - decisions do not ask more nodes for room than they may, and no question is asked twice at a time
 */
#include "sched/policy/policy.h"
#include "suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 12, ME = 5, JOBS = 4000, STEPS = 40000, PENDING = 4096 };

typedef struct {
    uint64_t token;
    int node;
    uint8_t kind;
} question_t;

static struct {
    byre__world_t world;
    const byre__policy_t *policy;
    void *state;
    bool dead[NODES];
    int load;
    double now;
    uint64_t random;
    uint8_t decided[JOBS];
    question_t pending[PENDING];
    int pendings, granted; /* granted: the node that has just claimed, -1 */
    bool at_once;          /* half of the answers come inside ask */
    uint64_t asked_room;
} w;

static uint64_t throw_dice(uint64_t below)
{
    w.random = w.random * 6364136223846793005u + 1442695040888963407u;
    return (w.random >> 33) % below;
}

static double get_now(void *self)
{
    (void)self;
    return w.now;
}

static uint64_t get_random(void *self, uint64_t below)
{
    (void)self;
    return throw_dice(below);
}

static bool get_alive(void *self, int node)
{
    (void)self;
    return !w.dead[node];
}

static int get_load(void *self)
{
    (void)self;
    return w.load;
}

static bool get_fits(void *self, int node, byre__policy_job_t job)
{
    (void)self, (void)node, (void)job;
    return true;
}

static void get_needs(void *self, byre__policy_job_t job, uint32_t *cpus_out, uint64_t *mem_out)
{
    (void)self, (void)job;
    *cpus_out = 1;
    *mem_out = 1;
}

static void decide(byre__policy_job_t job)
{
    ck_assert_uint_lt(job, JOBS);
    ck_assert_msg(w.decided[job] == 0, "job %d was decided on twice", (int)job);
    w.decided[job] = 1;
}

static void do_run(void *self, byre__policy_job_t job)
{
    (void)self;
    decide(job);
    w.load++;
}

static void do_send(void *self, byre__policy_job_t job, int node)
{
    (void)self;
    decide(job);
    ck_assert(node >= 0 && node < NODES && node != ME);
    if (w.granted == node) {
        w.granted = -1;
    } else {
        ck_assert_msg(!w.dead[node], "sent to a dead node unasked");
    }
}

static void answer(int node, uint8_t kind, uint64_t token)
{
    byre__answer_t given = { .reached = !w.dead[node] && throw_dice(20) > 0 };

    if (given.reached) {
        given.load = (int32_t)throw_dice(4);
        given.yes = kind == BYRE__PROBE_LOAD || throw_dice(4) == 0;
    }
    ck_assert_int_eq(w.granted, -1);
    w.granted = kind == BYRE__PROBE_ROOM && given.yes ? node : -1;
    w.policy->answered(w.state, node, token, &given);
    ck_assert_msg(w.granted == -1, "%s: a place at %d was forgotten", w.policy->name, node);
}

static void do_ask(void *self, int node, const byre__question_t *question, uint64_t token)
{
    (void)self;
    ck_assert(node >= 0 && node < NODES && node != ME && !w.dead[node]);
    w.asked_room += question->kind == BYRE__PROBE_ROOM;
    for (int i = 0; i < w.pendings; i++) {
        ck_assert_msg(w.pending[i].token != token || w.pending[i].node != node,
                      "one token for two questions to a node");
    }
    if (w.at_once && throw_dice(2)) {
        answer(node, question->kind, token);
        return;
    }
    ck_assert_int_lt(w.pendings, PENDING);
    w.pending[w.pendings++] = (question_t){ .token = token, .node = node, .kind = question->kind };
}

static void do_release(void *self, int node)
{
    (void)self;
    ck_assert_int_eq(w.granted, node);
    w.granted = -1;
}

static void do_timer_in(void *self, double seconds)
{
    (void)self, (void)seconds;
}

static void start(const byre__policy_t *policy, uint64_t seed)
{
    memset(&w, 0, sizeof w);
    w.policy = policy;
    w.random = seed;
    w.granted = -1;
    w.at_once = seed % 2;
    w.world = (byre__world_t){ .node = ME,
                               .nodes = NODES,
                               .params = policy->defaults,
                               .now = get_now,
                               .random = get_random,
                               .alive = get_alive,
                               .load = get_load,
                               .waiting = get_load,
                               .fits = get_fits,
                               .needs = get_needs,
                               .run = do_run,
                               .send = do_send,
                               .ask = do_ask,
                               .release = do_release,
                               .timer_in = do_timer_in };
    w.world.params.threshold = 1 + (int)(seed / 2 % 2);
    w.world.params.probes = 1 + (int)(seed / 4 % 4);
    w.state = calloc(1, policy->state_bytes);
    ck_assert_ptr_nonnull(w.state);
    policy->init(w.state, &w.world);
}

static void answer_one(void)
{
    if (w.pendings > 0) {
        int i = (int)throw_dice((uint64_t)w.pendings);
        question_t question = w.pending[i];

        w.pending[i] = w.pending[--w.pendings];
        answer(question.node, question.kind, question.token);
    }
}

static void die_or_return(void)
{
    int node = (int)throw_dice(NODES);

    if (node != ME) {
        w.dead[node] = !w.dead[node];
        if (w.dead[node] && w.policy->gone) {
            w.policy->gone(w.state, node);
        }
    }
}

static void be_asked(void)
{
    byre__question_t question = { .kind = (uint8_t)throw_dice(3), .limit = 1, .cpus = 1 };
    int from = (int)throw_dice(NODES);

    if (from != ME && w.policy->asked) {
        byre__answer_t given = w.policy->asked(w.state, from, &question);

        ck_assert_int_eq(given.load, w.load);
    }
}

static void step(byre__policy_job_t *job)
{
    w.now += 0.01;
    switch (throw_dice(10)) {
    case 0:
        if (*job < JOBS) {
            w.policy->arrive(w.state, (*job)++);
        }
        break;
    case 1:
        w.load -= w.load > 0;
        if (w.policy->departed) {
            w.policy->departed(w.state);
        }
        break;
    case 2:
        if (w.policy->timer) {
            w.policy->timer(w.state);
        }
        break;
    case 3:
        if (w.policy->received) {
            w.load++;
            w.policy->received(w.state, 0);
        }
        break;
    case 4:
        die_or_return();
        break;
    case 5:
        be_asked();
        break;
    default:
        answer_one();
        break;
    }
}

START_TEST(anything_happens)
{
    for (int i = 0; byre__policies[i]; i++) {
        byre__policy_job_t job = 1;

        start(byre__policies[i], (uint64_t)_i);
        for (int n = 0; n < STEPS; n++) {
            step(&job);
        }
        /* The end: no job is left undecided. */
        w.at_once = false;
        w.load = 99;
        while (w.pendings > 0) {
            answer_one();
        }
        ck_assert_uint_gt(job, 1000);
        for (byre__policy_job_t j = 1; j < job; j++) {
            ck_assert_msg(w.decided[j], "%s: job %d was forgotten", w.policy->name, (int)j);
        }
        ck_assert_uint_le(w.asked_room, job * (uint64_t)w.world.params.probes);
        free(w.state);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_policy_random");
    TCase *tcase = tcase_create("anything");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, anything_happens, 0, 16);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
