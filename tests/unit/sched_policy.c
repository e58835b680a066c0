/* SPDX-License-Identifier: BSD-3-Clause */
/* The policies in a world that the test plays: it gives the answers, and looks at what they do. */
#include "sched/policy/history.h"
#include "sched/policy/policy.h"
#include "suite.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 8, ACTS = 4096, ME = 2 };

enum act_kind { RUN, SEND, ASK, RELEASE, TIMER };
typedef struct {
    enum act_kind kind;
    int node;
    byre__policy_job_t job;
    uint64_t token;
    byre__question_t question;
    double seconds;
} act_t;

static struct {
    byre__world_t world;
    const byre__policy_t *policy;
    void *state;
    act_t act[ACTS];
    int acts, seen; /* `seen': how many the test has looked at */
    int load, waiting;
    bool dead[NODES], unfit[NODES];
    double now;
    uint64_t random;
    bool at_once; /* every question is answered inside ask: no */
} w;

static act_t *did(enum act_kind kind)
{
    ck_assert_int_lt(w.acts, ACTS);
    w.act[w.acts] = (act_t){ .kind = kind };
    return &w.act[w.acts++];
}

static double get_now(void *self)
{
    (void)self;
    return w.now;
}

static uint64_t get_random(void *self, uint64_t below)
{
    (void)self;
    w.random = w.random * 6364136223846793005u + 1442695040888963407u;
    return (w.random >> 33) % below;
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

static int get_waiting(void *self)
{
    (void)self;
    return w.waiting;
}

static bool get_fits(void *self, int node, byre__policy_job_t job)
{
    (void)self, (void)job;
    return !w.unfit[node];
}

/* Free (job 0): 7; a job needs 3. */
static void get_needs(void *self, byre__policy_job_t job, uint32_t *cpus_out, uint64_t *mem_out)
{
    (void)self;
    *cpus_out = job ? 3 : 7;
    *mem_out = job ? 30 : 70;
}

static void do_run(void *self, byre__policy_job_t job)
{
    (void)self;
    did(RUN)->job = job;
    w.load++;
}

static void do_send(void *self, byre__policy_job_t job, int node)
{
    act_t *act = did(SEND);

    (void)self;
    act->job = job;
    act->node = node;
}

static void do_ask(void *self, int node, const byre__question_t *question, uint64_t token)
{
    const byre__answer_t no = { .reached = true, .load = 5 };
    act_t *act = did(ASK);

    (void)self;
    act->node = node;
    act->token = token;
    act->question = *question;
    if (w.at_once) {
        w.policy->answered(w.state, node, token, &no);
    }
}

static void do_release(void *self, int node)
{
    (void)self;
    did(RELEASE)->node = node;
}

static void do_timer_in(void *self, double seconds)
{
    (void)self;
    did(TIMER)->seconds = seconds;
}

static void start_on(const char *text, int nodes)
{
    char why[160];

    free(w.state);
    memset(&w, 0, sizeof w);
    w.world = (byre__world_t){ .node = ME,
                               .nodes = nodes,
                               .now = get_now,
                               .random = get_random,
                               .alive = get_alive,
                               .load = get_load,
                               .waiting = get_waiting,
                               .fits = get_fits,
                               .needs = get_needs,
                               .run = do_run,
                               .send = do_send,
                               .ask = do_ask,
                               .release = do_release,
                               .timer_in = do_timer_in };
    w.policy = byre__policy_parse(text, &w.world.params, why);
    ck_assert_msg(w.policy != NULL, "%s: %s", text, why);
    w.state = calloc(1, w.policy->state_bytes);
    ck_assert_ptr_nonnull(w.state);
    w.policy->init(w.state, &w.world);
    w.seen = w.acts; /* a timer perhaps */
}

static void start(const char *text)
{
    start_on(text, NODES);
}

/* The next thing that the policy did, which has to be of that kind. */
static const act_t *next(enum act_kind kind)
{
    ck_assert_msg(w.seen < w.acts, "it did nothing, not %d", kind);
    ck_assert_int_eq(w.act[w.seen].kind, kind);
    return &w.act[w.seen++];
}

static void nothing_more(void)
{
    ck_assert_msg(w.seen == w.acts, "it did also %d", w.act[w.seen].kind);
}

static void answer(const act_t *question, bool yes, int load)
{
    byre__answer_t given = { .reached = true, .yes = yes, .load = load };

    w.policy->answered(w.state, question->node, question->token, &given);
}

static void silence(const act_t *question)
{
    byre__answer_t given = { .reached = false };

    w.dead[question->node] = true;
    w.policy->answered(w.state, question->node, question->token, &given);
}

static void arrive(byre__policy_job_t job)
{
    w.policy->arrive(w.state, job);
}

static void runs(byre__policy_job_t job)
{
    ck_assert_uint_eq(next(RUN)->job, job);
}

static void goes(byre__policy_job_t job, int node)
{
    const act_t *act = next(SEND);

    ck_assert_uint_eq(act->job, job);
    ck_assert_int_eq(act->node, node);
}

/* ---- local, random ------------------------------------------------------------------------------ */

START_TEST(local_runs_here)
{
    start("local");
    w.load = 100;
    arrive(1);
    runs(1);
    w.unfit[ME] = true;
    for (int i = 0; i < NODES; i++) {
        w.unfit[i] = i != 5;
    }
    arrive(2);
    goes(2, 5);
    w.unfit[5] = true; /* nobody can: the host is to say so */
    arrive(3);
    runs(3);
    nothing_more();
}
END_TEST

START_TEST(random_sends_anywhere)
{
    int times[NODES] = { 0 };

    start("random,T=2");
    w.load = 1;
    arrive(1);
    runs(1);
    w.load = 2;
    w.dead[6] = true;
    for (byre__policy_job_t job = 2; job < 2002; job++) {
        arrive(job);
        times[next(SEND)->node]++;
    }
    nothing_more();
    for (int i = 0; i < NODES; i++) {
        if (i == ME || i == 6) {
            ck_assert_int_eq(times[i], 0);
        } else {
            ck_assert_int_gt(times[i], 250); /* of 333 on average, deviation 17 */
        }
    }
    start_on("random", 3);
    w.dead[0] = w.dead[1] = true;
    w.load = 9;
    arrive(1);
    runs(1);
}
END_TEST

/* ---- threshold ---------------------------------------------------------------------------------- */

START_TEST(threshold_asks_one_by_one)
{
    const act_t *q[3];

    start("threshold,T=2,L=3");
    w.load = 1;
    arrive(1);
    runs(1);
    nothing_more();
    w.load = 2;
    arrive(2);
    for (int i = 0; i < 3; i++) {
        q[i] = next(ASK);
        nothing_more();
        ck_assert_int_eq(q[i]->question.kind, BYRE__PROBE_ROOM);
        ck_assert_int_eq(q[i]->question.limit, 2);
        ck_assert_uint_eq(q[i]->question.cpus, 3);
        ck_assert_uint_eq(q[i]->question.mem, 30);
        ck_assert_int_ne(q[i]->node, ME);
        for (int j = 0; j < i; j++) {
            ck_assert_int_ne(q[i]->node, q[j]->node);
        }
        answer(q[i], false, 7);
    }
    runs(2);
    arrive(3);
    answer(next(ASK), false, 2);
    q[0] = next(ASK);
    answer(q[0], true, 1);
    goes(3, q[0]->node);
    nothing_more();
    answer(q[0], true, 1); /* of nobody any more */
    nothing_more();
    arrive(4); /* looks where job 3 did: what was meant for that is not meant for this */
    next(ASK);
    answer(q[0], true, 1);
    nothing_more();
}
END_TEST

START_TEST(threshold_passes_the_dead_over)
{
    start_on("threshold,L=9", 5);
    w.load = 1;
    w.dead[0] = true;
    w.unfit[4] = true;
    arrive(1);
    silence(next(ASK)); /* 1 or 3 dies while it is asked */
    const act_t *q = next(ASK);
    ck_assert(q->node == 1 || q->node == 3);
    answer(q, false, 3);
    runs(1); /* there is nobody else to ask */
    nothing_more();
}
END_TEST

START_TEST(threshold_several_at_once)
{
    const act_t *q[3], *again;

    start("threshold,L=2");
    w.load = 1;
    for (byre__policy_job_t job = 1; job <= 3; job++) {
        arrive(job);
        q[job - 1] = next(ASK);
    }
    answer(q[1], true, 0);
    goes(2, q[1]->node);
    answer(q[2], false, 1);
    again = next(ASK);
    ck_assert_int_ne(again->node, q[2]->node);
    answer(q[0], true, 0);
    goes(1, q[0]->node);
    answer(again, false, 4);
    runs(3);
    nothing_more();
}
END_TEST

START_TEST(a_slot_falls_free_meanwhile)
{
    const act_t *q[2];

    start("threshold,L=3");
    w.load = 1;
    arrive(1);
    q[0] = next(ASK);
    arrive(2);
    q[1] = next(ASK);
    w.load = 0;
    w.policy->departed(w.state);
    runs(1); /* the older one; then the slot is taken */
    nothing_more();
    answer(q[0], true, 0);
    ck_assert_int_eq(next(RELEASE)->node, q[0]->node);
    w.load = 0;
    w.policy->departed(w.state);
    runs(2);
    answer(q[1], false, 1);
    nothing_more();
}
END_TEST

START_TEST(a_burst_is_bounded)
{
    int asked = 0, ran = 0;

    start("threshold");
    w.load = 1;
    for (byre__policy_job_t job = 1; job <= 1000; job++) {
        arrive(job);
    }
    for (int i = 0; i < w.acts; i++) {
        asked += w.act[i].kind == ASK;
        ran += w.act[i].kind == RUN;
    }
    ck_assert_int_eq(asked + ran, 1000);
    ck_assert_int_ge(asked, 8);
    ck_assert_int_le(asked, 64);
}
END_TEST

START_TEST(answers_inside_ask)
{
    static const char *const texts[] = { "threshold,L=64", "shortest,L=64", "symmetric,L=64" };

    for (int i = 0; i < 3; i++) {
        start(texts[i]);
        w.at_once = true;
        w.load = 1;
        arrive(1);
        for (int asked = 0; asked < NODES - 1; asked++) {
            next(ASK);
        }
        runs(1);
        nothing_more();
    }
}
END_TEST

/* ---- shortest ----------------------------------------------------------------------------------- */

START_TEST(shortest_takes_the_least)
{
    const act_t *q[4], *claim;

    start("shortest,T=3,L=4");
    w.load = 3;
    arrive(1);
    for (int i = 0; i < 4; i++) {
        q[i] = next(ASK);
        ck_assert_int_eq(q[i]->question.kind, BYRE__PROBE_LOAD);
    }
    nothing_more();
    answer(q[3], true, 2);
    answer(q[0], true, 1);
    silence(q[1]);
    nothing_more();
    answer(q[2], true, 5);
    claim = next(ASK);
    ck_assert_int_eq(claim->question.kind, BYRE__PROBE_ROOM);
    ck_assert_int_eq(claim->question.limit, 3);
    ck_assert_int_eq(claim->node, q[0]->node);
    answer(claim, false, 3); /* another was faster */
    claim = next(ASK);
    ck_assert_int_eq(claim->node, q[3]->node);
    answer(claim, true, 2);
    goes(1, q[3]->node);
    nothing_more();
}
END_TEST

START_TEST(shortest_stays)
{
    const act_t *q[2];

    start("shortest,L=2");
    w.load = 1;
    for (int round = 0; round < 2; round++) {
        byre__policy_job_t job = 10 + (byre__policy_job_t)round;

        arrive(job);
        q[0] = next(ASK);
        q[1] = next(ASK);
        answer(q[0], true, 1);
        answer(q[1], true, round == 0 ? 1 : 0);
        if (round == 1) {
            answer(next(ASK), false, 1);
        }
        runs(job);
    }
    arrive(20);
    q[0] = next(ASK);
    q[1] = next(ASK);
    w.load = 0;
    w.policy->departed(w.state);
    runs(20);
    answer(q[0], true, 0);
    answer(q[1], true, 0); /* decided: no claim is made */
    nothing_more();
}
END_TEST

/* ---- receiver ----------------------------------------------------------------------------------- */

START_TEST(receiver_hunts)
{
    const act_t *q;

    start("receiver,L=2,reprobe=3");
    ck_assert_int_eq(w.act[0].kind, TIMER); /* idle from the beginning: it asks by itself */
    ck_assert(w.act[0].seconds > 0 && w.act[0].seconds <= 3);
    arrive(1);
    runs(1);
    w.policy->departed(w.state);
    nothing_more(); /* it has work */
    w.load = 0;
    w.policy->departed(w.state);
    q = next(ASK);
    ck_assert_int_eq(q->question.kind, BYRE__PROBE_WORK);
    ck_assert_int_eq(q->question.limit, 1);
    ck_assert_uint_eq(q->question.cpus, 7);
    w.policy->departed(w.state);
    w.policy->timer(w.state);
    nothing_more(); /* one hunt at a time */
    answer(q, false, 1);
    silence(next(ASK));
    ck_assert_double_eq(next(TIMER)->seconds, 3);
    nothing_more();
    w.policy->timer(w.state);
    answer(next(ASK), true, 4);
    next(TIMER);
    nothing_more(); /* it waits for that job */
    w.load = 1;
    w.policy->received(w.state, 5);
    w.policy->timer(w.state);
    nothing_more();
}
END_TEST

START_TEST(receiver_stops_when_work_comes)
{
    const act_t *q;

    start("receiver,L=3,reprobe=0");
    ck_assert_int_eq(w.acts, 0);
    w.policy->departed(w.state);
    q = next(ASK);
    arrive(1);
    runs(1);
    answer(q, false, 0);
    ck_assert(next(TIMER)->seconds < 0);
    nothing_more();
}
END_TEST

START_TEST(receiver_with_slots_wants_more)
{
    start("receiver,L=1");
    w.policy->departed(w.state);
    answer(next(ASK), true, 4);
    next(TIMER);
    w.policy->received(w.state, 1); /* a slot is still free */
    next(ASK);
    nothing_more();
}
END_TEST

/* ---- symmetric ---------------------------------------------------------------------------------- */

static void learn(int node, enum byre__probe kind)
{
    byre__question_t question = { .kind = (uint8_t)kind, .limit = 1 };

    w.policy->asked(w.state, node, &question);
}

START_TEST(symmetric_asks_receivers_first)
{
    for (int again = 0; again < 20; again++) {
        start("symmetric,L=3");
        w.random = (uint64_t)again;
        w.load = 1;
        learn(3, BYRE__PROBE_WORK);
        learn(6, BYRE__PROBE_WORK);
        learn(1, BYRE__PROBE_ROOM);
        arrive(1);
        const act_t *q = next(ASK);
        ck_assert_int_eq(q->node, 6);
        answer(q, false, 1);
        q = next(ASK);
        ck_assert_int_eq(q->node, 3);
        answer(q, false, 1);
        q = next(ASK);
        ck_assert(q->node == 0 || q->node == 4 || q->node == 5 || q->node == 7);
        answer(q, true, 0);
        goes(1, q->node);
    }
}
END_TEST

START_TEST(symmetric_learns_that_all_are_busy)
{
    start("symmetric,L=64,history=2");
    w.load = 1;
    arrive(1);
    for (int i = 0; i < NODES - 1; i++) {
        answer(next(ASK), false, i % 2 + 1);
    }
    runs(1);
    w.now = 1.5;
    arrive(2);
    runs(2); /* asks nobody */
    nothing_more();
    learn(4, BYRE__PROBE_WORK);
    arrive(3);
    ck_assert_int_eq(next(ASK)->node, 4);
    w.now = 2.5; /* what is old is not believed */
    arrive(4);
    answer(next(ASK), false, 1);
    ck_assert_int_ne(next(ASK)->node, 4);
}
END_TEST

START_TEST(symmetric_hunts_senders_first)
{
    int order[NODES - 1];

    start("symmetric,L=64");
    w.load = 0;
    learn(7, BYRE__PROBE_WORK); /* receivers */
    learn(5, BYRE__PROBE_WORK);
    learn(1, BYRE__PROBE_ROOM); /* senders */
    learn(4, BYRE__PROBE_ROOM);
    w.policy->departed(w.state);
    for (int i = 0; i < NODES - 1; i++) {
        const act_t *q = next(ASK);

        order[i] = q->node;
        answer(q, false, 0);
    }
    ck_assert_int_eq(order[0], 4);
    ck_assert_int_eq(order[1], 1);
    ck_assert_int_eq(order[5], 7);
    ck_assert_int_eq(order[6], 5);
    next(TIMER);
    nothing_more();
}
END_TEST

START_TEST(symmetric_forgets_the_dead)
{
    start_on("symmetric,L=1", 4);
    w.load = 1;
    learn(0, BYRE__PROBE_WORK);
    learn(3, BYRE__PROBE_WORK);
    w.dead[3] = true;
    w.policy->gone(w.state, 3);
    w.dead[3] = false; /* it comes back: nothing is known of it */
    arrive(1);
    ck_assert_int_eq(next(ASK)->node, 0);
}
END_TEST

START_TEST(history_keeps_the_latest)
{
    static byre__history_t history;

    start("symmetric");
    w.world.nodes = 1000;
    memset(&history, 0, sizeof history);
    history.world = &w.world;
    for (int i = 100; i < 100 + BYRE__HISTORY + 5; i++) {
        byre__history_note(&history, i, BYRE__SENDER);
    }
    ck_assert_int_eq(byre__history_role(&history, 104), BYRE__UNKNOWN);
    ck_assert_int_eq(byre__history_role(&history, 105), BYRE__SENDER);
    ck_assert_int_eq(byre__history_role(&history, 104 + BYRE__HISTORY), BYRE__SENDER);
    byre__history_note(&history, 105 + BYRE__HINTS, BYRE__RECEIVER); /* the same remainder */
    byre__history_note(&history, 110, BYRE__RECEIVER);
    byre__history_note(&history, 110, BYRE__OK_ROLE);
    ck_assert_int_eq(byre__history_role(&history, 105), BYRE__UNKNOWN); /* the oldest gave way */
    ck_assert_int_eq(byre__history_role(&history, 105 + BYRE__HINTS), BYRE__RECEIVER);
    byre__history_note(&history, 110 + BYRE__HINTS, BYRE__RECEIVER);
    ck_assert_int_eq(byre__history_role(&history, 110),
                     BYRE__OK_ROLE); /* not where its hint leads */
    byre__history_forget(&history, 110);
    ck_assert_int_eq(byre__history_role(&history, 110), BYRE__UNKNOWN);
    ck_assert_int_eq(byre__history_role(&history, 110 + BYRE__HINTS), BYRE__RECEIVER);
}
END_TEST

/* ---- answers, loads, names ---------------------------------------------------------------------- */

START_TEST(the_plain_answer)
{
    static const struct {
        int kind, limit, load, waiting;
        bool yes;
    } cases[] = {
        { BYRE__PROBE_ROOM, 1, 0, 0, true },  { BYRE__PROBE_ROOM, 1, 1, 0, false },
        { BYRE__PROBE_ROOM, 3, 2, 0, true },  { BYRE__PROBE_LOAD, 0, 9, 0, true },
        { BYRE__PROBE_WORK, 1, 2, 1, true },  { BYRE__PROBE_WORK, 1, 1, 1, false },
        { BYRE__PROBE_WORK, 1, 2, 0, false }, { 77, 1, 0, 1, false },
    };

    start("local");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        byre__question_t question = { .kind = (uint8_t)cases[i].kind, .limit = cases[i].limit };
        byre__answer_t given;

        w.load = cases[i].load;
        w.waiting = cases[i].waiting;
        given = byre__policy_answer(&w.world, &question);
        ck_assert_msg(given.yes == cases[i].yes, "case %zu", i);
        ck_assert_int_eq(given.load, cases[i].load);
        ck_assert(given.reached);
    }
}
END_TEST

START_TEST(load_in_rounds)
{
    static const int four[] = { 0, 0, 0, 0, 1, 2, 2, 2, 2, 3 };

    for (int jobs = 0; jobs < 10; jobs++) {
        ck_assert_int_eq(byre__policy_load((uint64_t)jobs, 1), jobs);
        ck_assert_int_eq(byre__policy_load((uint64_t)jobs, 4), four[jobs]);
    }
    ck_assert_int_eq(byre__policy_load(0, 0), INT32_MAX);
    ck_assert_int_eq(byre__policy_load(UINT32_MAX, 1), INT32_MAX);
}
END_TEST

START_TEST(names_and_parameters)
{
    byre__policy_params_t p;
    char why[160];

    for (int i = 0; byre__policies[i]; i++) {
        ck_assert_ptr_eq(byre__policy_find(byre__policies[i]->name), byre__policies[i]);
        ck_assert_ptr_eq(byre__policy_parse(byre__policies[i]->name, &p, why), byre__policies[i]);
        ck_assert_mem_eq(&p, &byre__policies[i]->defaults, sizeof p);
    }
    ck_assert_ptr_null(byre__policy_find("thresh"));
    ck_assert_ptr_eq(byre__policy_parse("symmetric,T=2,L=5,reprobe=0.25,history=7", &p, why),
                     &byre__policy_symmetric);
    ck_assert_int_eq(p.threshold, 2);
    ck_assert_int_eq(p.probes, 5);
    ck_assert_double_eq(p.reprobe_s, 0.25);
    ck_assert_double_eq(p.history_s, 7);
}
END_TEST

START_TEST(names_that_are_none)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "", "there are local, random" },
        { "thresholdd", "there is no policy `thresholdd'" },
        { "a-name-that-is-much-too-long-to-be-the-name-of-a-policy", "there is no policy" },
        { "local,T=2", "it has none" },
        { "threshold,", "it has T, L" },
        { "threshold,T", "write T=N" },
        { "threshold,T=", "write T=N" },
        { "threshold,T=0", "from 1 to" },
        { "threshold,T=1.5", "a whole number" },
        { "threshold,T=1x", "write T=N" },
        { "threshold,T=nan", "write T=N" },
        { "threshold,L=65", "from 1 to 64" },
        { "threshold,reprobe=1", "it has T, L" },
        { "receiver,reprobe=-1", "seconds from 0" },
        { "receiver,L=3,,T=2", "has no parameter" },
        { "threshold,T=2;L=3", "write T=N" },
    };
    byre__policy_params_t p = { .threshold = 77 };
    char why[160], text[400];

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_ptr_null(byre__policy_parse(bad[i].text, &p, why));
        ck_assert_msg(strstr(why, bad[i].says) != NULL, "%s: %s", bad[i].text, why);
        ck_assert_int_eq(p.threshold, 77); /* written only after success */
    }
    memset(text, 'T', sizeof text);
    memcpy(text, "threshold,", 10);
    text[sizeof text - 1] = '\0';
    ck_assert_ptr_null(byre__policy_parse(text, &p, why));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_policy");
    TCase *tcase = tcase_create("policies");
    tcase_add_test(tcase, local_runs_here);
    tcase_add_test(tcase, random_sends_anywhere);
    tcase_add_test(tcase, threshold_asks_one_by_one);
    tcase_add_test(tcase, threshold_passes_the_dead_over);
    tcase_add_test(tcase, threshold_several_at_once);
    tcase_add_test(tcase, a_slot_falls_free_meanwhile);
    tcase_add_test(tcase, a_burst_is_bounded);
    tcase_add_test(tcase, answers_inside_ask);
    tcase_add_test(tcase, shortest_takes_the_least);
    tcase_add_test(tcase, shortest_stays);
    tcase_add_test(tcase, receiver_hunts);
    tcase_add_test(tcase, receiver_stops_when_work_comes);
    tcase_add_test(tcase, receiver_with_slots_wants_more);
    tcase_add_test(tcase, symmetric_asks_receivers_first);
    tcase_add_test(tcase, symmetric_learns_that_all_are_busy);
    tcase_add_test(tcase, symmetric_hunts_senders_first);
    tcase_add_test(tcase, symmetric_forgets_the_dead);
    tcase_add_test(tcase, history_keeps_the_latest);
    tcase_add_test(tcase, the_plain_answer);
    tcase_add_test(tcase, load_in_rounds);
    tcase_add_test(tcase, names_and_parameters);
    tcase_add_test(tcase, names_that_are_none);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
