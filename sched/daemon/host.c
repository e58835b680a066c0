/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c - the policy's world: what it sees of this node and of the others, and how its decisions are carried out.
 *
 *   H1 A question is answered once: by its node, by that node's going, or by PROBE_S without an answer. An answer
 *      that comes later is dropped; if it was a claim, that is released.
 *   H2 A claim ends with the job it was made for, with RELEASE, with its asker, or after LEASE_S.
 *   H3 A job that ended while the policy had it is decided upon as if it were there, and the decision is dropped.
 */
#include <math.h>
#include <stdlib.h>
#include <sys/random.h>

#include "sched/daemon/arrive.h"
#include "sched/daemon/host.h"
#include "sched/daemon/members.h"
#include "sched/daemon/owner.h"
#include "sched/daemon/queue.h"
#include "sched/daemon/wire.h"

#define PROBE_S 2.0
#define LEASE_S 4.0 /* longer than PROBE_S: who still believes in a claim has it */

typedef struct probe {
    struct probe *next;
    uint64_t token;
    double due;
    uint32_t number;
    int rank;
    uint8_t kind;
} probe_t;

typedef struct claim {
    struct claim *next;
    double due;
    int rank;
    uint32_t cpus;
    bool slot; /* a free processor is kept; else a place in the queue */
} claim_t;

static void *state;
static byre__world_t world;
static double timer_at = INFINITY;
static uint64_t random_state;
static probe_t *probes; /* the oldest first */
static claim_t *claims; /* likewise */
static uint32_t probe_numbers, deciding;
static uint32_t *claims_there; /* by rank: what we hold */

/* ---- what the policy sees ---------------------------------------------------------------------- */

static double see_now(void *self)
{
    (void)self;
    return byred_now();
}

static uint64_t see_random(void *self, uint64_t below)
{
    (void)self;
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static bool see_alive(void *self, int node)
{
    (void)self;
    return node == members_self() ||
           (member_up(node) && member_at(node)->synced && !member_at(node)->owned);
}

static uint32_t claimed_cpus(bool slots_only)
{
    uint32_t sum = 0;

    for (const claim_t *at = claims; at != NULL; at = at->next) {
        sum += !slots_only || at->slot ? at->cpus : 0;
    }
    return sum;
}

uint32_t host_claimed_slots(void)
{
    return claimed_cpus(true);
}

static int load_with(uint32_t claimed)
{
    return byre__policy_load((uint64_t)byre__placer_used(byred.placer) + queue_cpus() + claimed,
                             byre__placer_slots(byred.placer));
}

int host_load(void)
{
    return load_with(claimed_cpus(false));
}

static int see_load(void *self)
{
    (void)self;
    return host_load();
}

static int see_waiting(void *self)
{
    (void)self;
    return (int)arrive_movable();
}

static job_t *job_of(byre__policy_job_t job)
{
    return (job_t *)(uintptr_t)job; // NOLINT(performance-no-int-to-ptr): it is our own name for it
}

static bool see_fits(void *self, int node, byre__policy_job_t job)
{
    (void)self;
    return member_fits(node, job_of(job)->cpus, job_of(job)->mem);
}

static uint32_t free_cpus(void)
{
    uint32_t slots = byre__placer_slots(byred.placer);
    uint32_t taken = byre__placer_used(byred.placer) + host_claimed_slots();

    return taken < slots ? slots - taken : 0;
}

static void see_needs(void *self, byre__policy_job_t job, uint32_t *cpus, uint64_t *mem)
{
    (void)self;
    if (job != 0) {
        *cpus = job_of(job)->cpus;
        *mem = job_of(job)->mem;
    } else {
        *cpus = free_cpus();
        *mem = byre__placer_mem(byred.placer) - byre__placer_mem_used(byred.placer);
    }
}

/* ---- what it decides --------------------------------------------------------------------------- */

/* NULL: the job is over. */
static job_t *decided(byre__policy_job_t token)
{
    job_t *job = job_of(token);
    bool over = (job->bits & (JOB_GONE | JOB_DROPPED)) != 0 || job->stage != STAGE_DECIDING;

    deciding--;
    byred.work |= WORK_ARRIVALS;
    job_release(job);
    return over ? NULL : job;
}

static void do_run(void *self, byre__policy_job_t token)
{
    job_t *job = decided(token);

    (void)self;
    if (job != NULL) {
        arrive_here(job);
    }
}

static void do_release(void *self, int node)
{
    (void)self;
    if (claims_there[node] > 0) {
        claims_there[node]--;
        wire_send(node, WIRE_RELEASE, 0, NULL);
    }
}

static void do_send(void *self, byre__policy_job_t token, int node)
{
    job_t *job = decided(token);

    if (job == NULL) {
        do_release(self, node);
    } else if (!member_up(node)) {
        arrive_again(job);
    } else {
        bool claimed = claims_there[node] > 0;

        claims_there[node] -= claimed;
        arrive_send(job, node, claimed);
    }
}

static void do_ask(void *self, int node, const byre__question_t *question, uint64_t token)
{
    byre__answer_t silence = { .reached = false };
    probe_t *probe = member_up(node) ? calloc(1, sizeof *probe) : NULL, **end = &probes;
    byre__pack_t pack = { 0 };

    (void)self;
    byred.tally.probes_out++;
    if (probe == NULL) {
        byred.policy->answered(state, node, token, &silence);
        return;
    }
    *probe = (probe_t){ .token = token,
                        .due = byred_now() + PROBE_S,
                        .number = ++probe_numbers,
                        .rank = node,
                        .kind = question->kind };
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = probe;
    byre__pack_u8(&pack, question->kind);
    byre__pack_u32(&pack, (uint32_t)question->limit);
    byre__pack_u32(&pack, question->cpus);
    byre__pack_u64(&pack, question->mem);
    wire_send(node, WIRE_PROBE, probe->number, &pack);
    byre__pack_fini(&pack);
}

static void do_timer_in(void *self, double seconds)
{
    (void)self;
    timer_at = seconds < 0 ? INFINITY : byred_now() + seconds;
}

bool host_open(void)
{
    world = (byre__world_t){ .node = members_self(),
                             .nodes = members_count(),
                             .params = byred.params,
                             .now = see_now,
                             .random = see_random,
                             .alive = see_alive,
                             .load = see_load,
                             .waiting = see_waiting,
                             .fits = see_fits,
                             .needs = see_needs,
                             .run = do_run,
                             .send = do_send,
                             .ask = do_ask,
                             .release = do_release,
                             .timer_in = do_timer_in };
    claims_there = calloc((size_t)members_count(), sizeof *claims_there);
    state = calloc(1, byred.policy->state_bytes + 1);
    if (getrandom(&random_state, sizeof random_state, 0) < 0) {
        random_state = byred_ms();
    }
    random_state |= 1;
    return state != NULL && claims_there != NULL;
}

void host_ready(void)
{
    byred.policy->init(state, &world);
}

void host_arrive(job_t *job)
{
    job_stage(job, STAGE_DECIDING);
    job_hold(job);
    deciding++;
    byred.policy->arrive(state, (byre__policy_job_t)(uintptr_t)job);
}

uint32_t host_deciding(void)
{
    return deciding;
}

void host_departed(void)
{
    if (byred.ready && !byred.ending && byred.policy->departed != NULL) {
        byred.policy->departed(state);
    }
}

void host_received(int from)
{
    if (byred.ready && byred.policy->received != NULL) {
        byred.policy->received(state, from);
    }
}

/* ---- questions of others ----------------------------------------------------------------------- */

static void claim_add(int rank, uint32_t cpus)
{
    claim_t *claim = calloc(1, sizeof *claim), **end = &claims;

    if (claim != NULL) {
        *claim = (claim_t){
            .due = byred_now() + LEASE_S, .rank = rank, .cpus = cpus, .slot = cpus <= free_cpus()
        };
        while (*end != NULL) {
            end = &(*end)->next;
        }
        *end = claim;
    }
}

/* The oldest of the rank's. */
static bool claim_end(int rank)
{
    for (claim_t **at = &claims; *at != NULL; at = &(*at)->next) {
        if ((*at)->rank == rank) {
            claim_t *claim = *at;

            *at = claim->next;
            free(claim);
            byred.work |= WORK_QUEUE;
            return true;
        }
    }
    return false;
}

static byre__answer_t consider(int from, const byre__question_t *question)
{
    byre__answer_t no = { .reached = true, .load = byred.ready ? host_load() : 0 };

    if (!byred.ready || byred.ending || (question->kind == BYRE__PROBE_ROOM && owner_there())) {
        return no;
    }
    return byred.policy->asked != NULL ? byred.policy->asked(state, from, question)
                                       : byre__policy_answer(&world, question);
}

void host_probe(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;
    byre__question_t question = { 0 };
    byre__answer_t answer;
    byre__pack_t pack = { 0 };
    job_t *given = NULL;

    question.kind = byre__unpack_u8(&payload);
    question.limit = (int32_t)byre__unpack_u32(&payload);
    question.cpus = byre__unpack_u32(&payload);
    question.mem = byre__unpack_u64(&payload);
    if (payload.failed || question.kind > BYRE__PROBE_WORK) {
        return;
    }
    byred.tally.probes_in++;
    answer = consider(frame->from, &question);
    if (question.kind == BYRE__PROBE_ROOM && answer.yes) {
        claim_add(frame->from, question.cpus);
    } else if (question.kind == BYRE__PROBE_ROOM && claims != NULL &&
               load_with(0) < question.limit) {
        byred.tally.claims_refused++;
    } else if (question.kind == BYRE__PROBE_WORK && answer.yes) {
        given = arrive_pick(frame->from, question.cpus, question.mem);
        answer.yes = given != NULL;
    }
    byre__pack_u8(&pack, answer.yes);
    byre__pack_u32(&pack, (uint32_t)answer.load);
    wire_send(frame->from, WIRE_ANSWER, frame->tag, &pack);
    byre__pack_fini(&pack);
    if (given != NULL) {
        arrive_send(given, frame->from, false);
        byred.work |= WORK_DEPARTED | WORK_ARRIVALS;
    }
}

void host_release(int rank)
{
    if (claim_end(rank)) {
        byred.work |= WORK_DEPARTED;
    }
}

void host_claim_used(int rank)
{
    claim_end(rank);
}

/* ---- answers to ours --------------------------------------------------------------------------- */

static void answered(probe_t **at, const byre__answer_t *answer)
{
    probe_t *probe = *at;

    *at = probe->next;
    if (answer->yes && probe->kind == BYRE__PROBE_ROOM) {
        claims_there[probe->rank]++;
    }
    byred.tally.probes_won += answer->yes && probe->kind != BYRE__PROBE_LOAD;
    byred.policy->answered(state, probe->rank, probe->token, answer);
    free(probe);
}

void host_answer(const peer_frame_t *frame)
{
    byre__unpack_t payload = frame->payload;
    byre__answer_t answer = { .reached = true };
    probe_t **at = &probes;

    answer.yes = byre__unpack_u8(&payload) != 0;
    answer.load = (int32_t)byre__unpack_u32(&payload);
    while (*at != NULL && (*at)->number != frame->tag) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        answered(at, &answer);
    } else if (answer.yes) {
        wire_send(frame->from, WIRE_RELEASE, 0,
                  NULL); /* if it was WORK, there is no claim to end */
    }
}

void host_member_gone(int rank)
{
    byre__answer_t silence = { .reached = false };

    while (claim_end(rank)) {}
    claims_there[rank] = 0;
    if (!byred.ready) {
        return;
    }
    if (byred.policy->gone != NULL) {
        byred.policy->gone(state, rank);
    }
    for (probe_t **at = &probes; *at != NULL;) {
        if ((*at)->rank == rank) {
            answered(at, &silence);
            at = &probes; /* the policy may have asked more */
        } else {
            at = &(*at)->next;
        }
    }
    byred.work |= WORK_ARRIVALS | WORK_DEPARTED;
}

/* ---- time -------------------------------------------------------------------------------------- */

double host_due(void)
{
    double due = timer_at;

    due = probes != NULL ? fmin(due, probes->due) : due;
    return claims != NULL ? fmin(due, claims->due) : due;
}

void host_tick(void)
{
    byre__answer_t silence = { .reached = false };

    while (probes != NULL && probes->due <= byred_now()) {
        answered(&probes, &silence);
    }
    while (claims != NULL && claims->due <= byred_now()) {
        host_release(claims->rank);
    }
    if (timer_at <= byred_now()) {
        timer_at = INFINITY;
        if (byred.policy->timer != NULL && !byred.ending) {
            byred.policy->timer(state);
        }
    }
}
