/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine.h - one run: what engine.c (queues and time) and world.c (policies and messages) share.
 *
 * Invariants
 *  1. A node has a free slot only if no job waits there.
 *  2. claims of a node: the places it has said yes to, or was promised a job for, that are still to be filled.
 *  3. A policy is never called from inside one of its own calls upwards, but for an answer: what it is to be told
 *     of (received, departed) waits in `notices' until the event is done.
 *  4. A job is in one place: in the hands of a policy, in a queue, in a slot, or on its way.
 *  5. The workload is drawn in the order of arrivals from a stream of its own, so that all policies get the same.
 */
#ifndef BYRE__SIM_ENGINE_H
#define BYRE__SIM_ENGINE_H

#include "sim.h"

enum { NOTHING = -1 };

/* What an event is about: its node, and `what'. */
enum sim_kind {
    SIM_ARRIVAL,  /* stream */
    SIM_END,      /* job */
    SIM_DELIVERY, /* job */
    SIM_QUESTION, /* message */
    SIM_ANSWER,   /* message */
    SIM_RELEASE,  /* a claim at the node is not needed */
    SIM_TIMER     /* turn */
};

typedef struct sim_job {
    double arrived, service_s;
    int32_t next; /* in a queue, or among the free */
    int32_t from; /* where it came from when it moved */
    bool moved;   /* it stays where it is */
    bool claimed; /* a place is kept for it where it goes */
} sim_job_t;

/* A question or its answer on its way. */
typedef struct sim_message {
    byre__question_t question;
    byre__answer_t answer;
    uint64_t token;
    int32_t from, to; /* of the question */
    int32_t job;      /* that comes with a yes to WORK */
    int32_t next;
} sim_message_t;

typedef struct sim_node {
    byre__world_t world;
    struct sim_engine *engine;
    void *policy; /* its state */
    double speed;
    uint64_t turn; /* of the timer */
    uint32_t running, waiting, movable, claims;
    int32_t first, last; /* of the queue */
    int32_t granted;     /* who has said yes to the answer that is being given, or NOTHING */
} sim_node_t;

typedef struct sim_notice {
    int32_t node, from; /* from NOTHING: departed, else received */
} sim_notice_t;

typedef struct sim_engine {
    const sim_setup_t *setup;
    sim_result_t *result;
    sim_heap_t heap;
    sim_node_t *node;
    char *states;
    double now;
    sim_rng_t work, chance;
    double gap_s;   /* between the arrivals of a stream */
    size_t arrived; /* jobs, and so the place in a trace */

    sim_job_t *job;
    size_t job_room;
    int32_t free_job;
    sim_message_t *message;
    size_t message_room;
    int32_t free_message;
    sim_notice_t *notice;
    size_t notices, notice_room;

    uint64_t ended, inside; /* jobs */
    bool measuring;
    uint64_t slots_used;      /* now, of all nodes */
    double used_since, begun; /* when that last changed; when measuring began */
    double used_s, response_s, service_s, span_s;
    uint64_t probes, transfers, refused, measured;
    bool failed; /* out of memory: the run ends */
} sim_engine_t;

/* engine.c */
void sim_put(sim_engine_t *e, double after, enum sim_kind kind, int node, uint64_t what);
void sim_place(sim_engine_t *e, int node, int32_t job); /* into a slot or the queue */
int32_t sim_take_movable(sim_engine_t *e, int node);    /* the first that waits and may go */
void sim_notify(sim_engine_t *e, int node, int from);

/* world.c */
void sim_world_init(sim_engine_t *e, sim_node_t *node, int number);
void sim_deliver(sim_engine_t *e, int node, int32_t job);
void sim_question(sim_engine_t *e, int32_t message);
void sim_answer(sim_engine_t *e, int32_t message);
void sim_release(sim_engine_t *e, int node);

static inline int sim_load(const sim_node_t *node, uint32_t slots)
{
    uint32_t jobs = node->running + node->waiting + node->claims;

    return slots == 1 ? (int)jobs : byre__policy_load(jobs, slots);
}

#endif
