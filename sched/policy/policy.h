/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * policy.h - which node a job goes to. A policy decides, and does nothing else: no clock, no random numbers,
 * no messages of its own. The daemon and the simulator drive the same code through this interface.
 *
 * A policy has one instance a node. It is called from one thread, never from inside one of its own calls
 * upwards (`world'), with these exceptions: `run' and `send' may call nothing back, `ask' may be answered
 * before it returns (the simulator's probes take no time).
 *
 * Load is in jobs a slot: 0: a slot is free; k: every slot has a job and k-1 more rounds wait, the last of them
 * perhaps in part (byre__policy_load). With one slot it is the number of jobs in the node, the running one included.
 *
 * Claims. A probe that is answered yes has claimed: the asked node keeps a slot (or a place below the
 * threshold) for the asker until the job comes, the asker says that it does not, or a time has passed. Two
 * that find the same idle node: one gets it, the other is refused and probes on.
 */
#ifndef BYRE__SCHED_POLICY_H
#define BYRE__SCHED_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct byre__policy_params {
    int threshold;    /* T: 1.. */
    int probes;       /* Lp: most nodes that one decision asks, 0: the policy's default */
    double reprobe_s; /* how long an idle node waits before it asks again, 0: never by itself */
    double history_s; /* how long a node's answer is remembered (symmetric) */
} byre__policy_params_t;

/* What one node asks another. */
enum byre__probe {
    BYRE__PROBE_ROOM, /* may I send you a job? `limit': yes if your load is below it. Yes is a claim. */
    BYRE__PROBE_LOAD, /* what is your load? no claim */
    BYRE__PROBE_WORK /* have you a waiting job for me? yes if your load is above `limit' and one waits that
                         fits: then it comes, as a job that another node sent (received). */
};

typedef struct byre__question {
    uint8_t kind; /* enum byre__probe */
    int32_t limit;
    uint32_t cpus; /* what the job needs (ROOM, LOAD), what there is (WORK) */
    uint64_t mem;
} byre__question_t;

typedef struct byre__answer {
    bool yes;
    int32_t load; /* of who answers, before the claim */
    bool reached; /* false: no answer, the node is gone or silent */
} byre__answer_t;

typedef uint64_t byre__policy_job_t; /* names a job that the policy has to decide on; not 0 */

/* What a policy can see and do. The functions get `self'. */
typedef struct byre__world {
    void *self;
    int node, nodes; /* this one; how many there may be: nodes are 0 .. nodes-1 */
    byre__policy_params_t params;

    double (*now)(void *self);                      /* seconds */
    uint64_t (*random)(void *self, uint64_t below); /* uniform in 0 .. below-1 */
    bool (*alive)(void *self, int node); /* up, and takes guests. This node: always true */
    int (*load)(void *self);             /* of this node, claims included */
    int (*waiting)(void *self);          /* jobs here that could go elsewhere */
    /* Can the node run such a job at all? The policy need not ask those that cannot. If this one cannot, the job
     * leaves it, whatever the load. */
    bool (*fits)(void *self, int node, byre__policy_job_t job);
    /* What the job needs; job 0: what is free here now, for WORK. */
    void (*needs)(void *self, byre__policy_job_t job, uint32_t *cpus_out, uint64_t *mem_out);

    /* Decisions: exactly one of run and send for every job given to `arrive'. */
    void (*run)(void *self, byre__policy_job_t job); /* here: at once, or into the queue */
    void (*send)(void *self, byre__policy_job_t job, int node); /* there, for good */
    /* Ask a node; `answered' follows with the same token, once, even when it is gone. */
    void (*ask)(void *self, int node, const byre__question_t *question, uint64_t token);
    /* A node that said yes to ROOM is not needed. */
    void (*release)(void *self, int node);
    /* Call `timer' in so many seconds; replaces the one before. Below 0: never. */
    void (*timer_in)(void *self, double seconds);
} byre__world_t;

typedef struct byre__policy {
    const char *name;
    const char *summary; /* a line for --help */
    size_t state_bytes;  /* zeroed before init */
    byre__policy_params_t defaults;
    void (*init)(void *state, const byre__world_t *world); /* world stays; may set the timer */
    /* A job was submitted here and may go anywhere. */
    void (*arrive)(void *state, byre__policy_job_t job);
    /* A job that another node sent has been put here (it stays: it is not to be sent on). */
    void (*received)(void *state, int from);
    /* The load has become less: a job ended, a waiting one went elsewhere, or a claim lapsed. */
    void (*departed)(void *state);
    /* Another node asks. For ROOM: is it welcome? The host then claims a slot; for WORK: shall a waiting job
     * go? The host then picks one that fits and sends it, or turns the answer into no. NULL: the rule in
     * byre__policy_answer. */
    byre__answer_t (*asked)(void *state, int from, const byre__question_t *question);
    void (*answered)(void *state, int node, uint64_t token, const byre__answer_t *answer);
    void (*timer)(void *state);
    void (*gone)(void *state,
                 int node); /* after it `alive' is false; questions to it get their answer */
} byre__policy_t;           /* any function but init, arrive and answered may be NULL */

/* Most nodes that one decision asks, and so the largest Lp. */
enum { BYRE__PROBES_MOST = 64 };

/* The load of a node with so many jobs (running, waiting and claimed): 0 below its slots, else the rounds. */
int byre__policy_load(uint64_t jobs, uint32_t slots);

/* The plain rule: ROOM yes if load < limit; LOAD the load; WORK yes if load > limit and a job waits. */
byre__answer_t byre__policy_answer(const byre__world_t *world, const byre__question_t *question);

extern const byre__policy_t byre__policy_local, byre__policy_random, byre__policy_threshold,
    byre__policy_shortest, byre__policy_receiver, byre__policy_symmetric;
/* All, ended by NULL. */
extern const byre__policy_t *const byre__policies[];
const byre__policy_t *byre__policy_find(const char *name);
/* "threshold,T=2,L=3,reprobe=0.5": a policy and its parameters over the defaults. NULL and *error_out: a line
 * for a person (static or in the caller's buffer of 160 bytes). */
const byre__policy_t *byre__policy_parse(const char *text, byre__policy_params_t *params_out,
                                         char error_out[static 160]);

#endif
