/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Litmus tests: short programs of some threads over some variables, and an outcome that sequential
 * consistency forbids. Each is run many times, with random delays, for every way to keep copies
 * coherent; the outcome must never be seen. And it is seen when coherence is switched off: so the test
 * can see it.
 *
 * A round runs every instance of a test once. Instances have variables of their own, and all ranks walk
 * over them in the same order, so that one barrier serves many runs. A variable is never reset: what a
 * round writes is larger than what all rounds before it wrote, which counts as 0.
 */
#include "testing.h"

#include "dsm/region.h"
#include <pthread.h>

enum { ROLES = 4, REGISTERS = 2, VARS = 3, INSTANCES = 24, ROUNDS = 4, WORKERS = 8 };
enum { BROKEN_ATTEMPTS = 100, VERDICT_PORT = 9, RESULT_PORT = 10 };

/* ---- the tests ---------------------------------------------------------------------------- */

/* A role's operations: "Wx1" writes 1 to x, "Ry0" reads y into register 0. An outcome: "1.0=2" register 0
 * of role 1 is 2, "x=1" x is 1 in the end; all of these at once. `blind`: an INVALIDATE that does nothing
 * is not enough to see it. */
static const struct litmus {
    const char *name, *role[ROLES], *forbidden;
    bool blind;
} litmus[] = {
    { "SB", { "Wx1 Ry0", "Wy1 Rx0" }, "0.0=0 1.0=0", false },
    { "MP", { "Wx1 Wy1", "Ry0 Rx1" }, "1.0=1 1.1=0", false },
    { "LB", { "Rx0 Wy1", "Ry0 Wx1" }, "0.0=1 1.0=1", true },
    { "R", { "Wx1 Wy1", "Wy2 Rx0" }, "y=2 1.0=0", false },
    { "S", { "Wx2 Wy1", "Ry0 Wx1" }, "1.0=1 x=2", true },
    { "2+2W", { "Wx1 Wy2", "Wy1 Wx2" }, "x=1 y=1", true },
    { "CoRR", { "Wx1", "Rx0 Rx1" }, "1.0=1 1.1=0", true },
    { "CoWW", { "Wx1 Wx2", "Rx0" }, "x=1", true },
    { "WRC", { "Wx1", "Rx0 Wy1", "Ry0 Rx1" }, "1.0=1 2.0=1 2.1=0", false },
    { "ISA2", { "Wx1 Wy1", "Ry0 Wz1", "Rz0 Rx1" }, "1.0=1 2.0=1 2.1=0", false },
    { "IRIW", { "Wx1", "Wy1", "Rx0 Ry1", "Ry0 Rx1" }, "2.0=1 2.1=0 3.0=1 3.1=0", false },
};

static int roles_of(const struct litmus *test)
{
    int roles = 0;
    while (roles < ROLES && test->role[roles] != NULL) roles++;
    return roles;
}

static const struct way {
    const char *name;
    byre_dsm_attr_t attr;
} ways[] = {
    { "fixed", { .home = BYRE_DSM_HOME_CYCLIC } },
    { "central", { .manager = BYRE_DSM_MANAGER_CENTRAL } },
    { "dynamic", { .manager = BYRE_DSM_MANAGER_DYNAMIC } },
    { "migrate", { .protocol = BYRE_DSM_MIGRATE } },
};

/* ---- one round ---------------------------------------------------------------------------- */

struct round {
    const struct litmus *test;
    char *base;
    size_t spread;  /* bytes from variable to variable: a page, or less */
    uint64_t seed;  /* equal on all ranks */
    uint64_t floor; /* what the rounds before wrote is not larger */
    int workers;
};

typedef int32_t result_t[INSTANCES][REGISTERS];

static size_t page;

static _Atomic uint64_t *var_of(const struct round *round, int instance, int var)
{
    return (_Atomic uint64_t *)(round->base + (size_t)instance * VARS * page +
                                (size_t)var * round->spread);
}

/* Workers are dealt out to the ranks, and in each instance the roles to the workers. */
static int role_of(const struct round *round, int instance, int worker)
{
    int shift = (int)(mix3(round->seed, 1, (uint64_t)instance) % (uint64_t)round->workers);
    return (worker + shift) % round->workers;
}

static int worker_of(const struct round *round, int instance, int role)
{
    int shift = (int)(mix3(round->seed, 1, (uint64_t)instance) % (uint64_t)round->workers);
    return (role + round->workers - shift) % round->workers;
}

static void jitter(uint64_t *state)
{
    static const uint64_t most[] = { 1, 1, 300, 5000, 20000 };
    for (uint64_t left = draw(state, most[draw(state, LENGTH(most))]); left > 0; left--)
        atomic_signal_fence(memory_order_seq_cst);
}

static int32_t read_var(const struct round *round, _Atomic uint64_t *var)
{
    uint64_t value = round->workers <= ranks ? *(volatile uint64_t *)var : atomic_load(var);
    return value <= round->floor ? 0 : (int32_t)(value - round->floor);
}

/* Ranks alone need no fences. Threads of one rank do, as on any machine. */
static void write_var(const struct round *round, _Atomic uint64_t *var, int value)
{
    if (round->workers <= ranks)
        *(volatile uint64_t *)var = round->floor + (uint64_t)value;
    else
        atomic_store(var, round->floor + (uint64_t)value);
}

static void run_role(const struct round *round, int instance, int role, int32_t *registers,
                     uint64_t *state)
{
    for (const char *op = round->test->role[role]; *op != 0; op += op[3] == ' ' ? 4 : 3) {
        _Atomic uint64_t *var = var_of(round, instance, op[1] - 'x');
        jitter(state);
        if (op[0] == 'W')
            write_var(round, var, op[2] - '0');
        else
            registers[op[2] - '0'] = read_var(round, var);
    }
}

struct worker {
    const struct round *round;
    int number;
    result_t result;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    const struct round *round = worker->round;
    uint64_t state = mix3(round->seed, 2, (uint64_t)worker->number), order = mix(round->seed + 3);
    memset(worker->result, 0, sizeof worker->result);
    for (int i = 0; i < INSTANCES; i++) { /* 5 and 24 have no common divisor */
        int instance = (int)(((uint64_t)i * 5 + order) % INSTANCES);
        int role = role_of(round, instance, worker->number);
        if (role < roles_of(round->test))
            run_role(round, instance, role, worker->result[instance], &state);
    }
    EXPECT(BYRE_OK, byre_isend_copy(at(0, RESULT_PORT + worker->number), worker->result,
                                    sizeof worker->result));
    return NULL;
}

/* Copies here and there. */
static void prepare(const struct round *round)
{
    uint64_t state = mix3(round->seed, 4, (uint64_t)me);
    for (int i = 0; i < INSTANCES; i++)
        for (int var = 0; var < VARS; var++)
            if (draw(&state, 2) == 0) (void)read_var(round, var_of(round, i, var));
}

/* ---- judging: rank 0 ---------------------------------------------------------------------- */

static bool is_forbidden(const struct round *round, int instance, const result_t *results)
{
    for (const char *c = round->test->forbidden; *c != 0; c += *c == ' ') {
        int32_t is;
        if (*c >= 'x') {
            is = read_var(round, var_of(round, instance, *c - 'x'));
        } else {
            is = results[worker_of(round, instance, c[0] - '0')][instance][c[2] - '0'];
            c += 2;
        }
        if (is != c[2] - '0') return false;
        c += 3;
    }
    return true;
}

static int count_forbidden(const struct round *round)
{
    static result_t results[WORKERS];
    int seen = 0;
    for (int w = 0; w < round->workers; w++)
        EXPECT(BYRE_OK, byre_recv(RESULT_PORT + w, w % ranks, results[w], sizeof results[w], NULL));
    for (int i = 0; i < INSTANCES; i++) seen += is_forbidden(round, i, results);
    return seen;
}

/* All ranks. Returns, on all, how often the forbidden outcome was seen. */
static int run_round(const struct round *round)
{
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    int seen = 0;
    prepare(round);
    EXPECT(BYRE_OK, byre_barrier());
    for (int w = me; w < round->workers; w += ranks) {
        workers[w].round = round;
        workers[w].number = w;
        if (w != me) CHECK(pthread_create(&threads[w], NULL, work, &workers[w]) == 0);
    }
    if (me < round->workers) (void)work(&workers[me]);
    for (int w = me + ranks; w < round->workers; w += ranks) pthread_join(threads[w], NULL);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) {
        seen = count_forbidden(round);
        for (int r = 1; r < ranks; r++)
            EXPECT(BYRE_OK, byre_isend_copy(at(r, VERDICT_PORT), &seen, sizeof seen));
        return seen;
    }
    EXPECT(BYRE_OK, byre_recv(VERDICT_PORT, 0, &seen, sizeof seen, NULL));
    return seen;
}

/* ---- all ---------------------------------------------------------------------------------- */

static uint64_t seed;

static struct round next_round(const struct litmus *test, char *base, size_t spread)
{
    struct round round = { .test = test, .base = base, .spread = spread };
    round.seed = mix(++seed);
    round.floor = seed * 4;
    round.workers = ranks < WORKERS ? ranks : WORKERS;
    if (round.workers < roles_of(test)) round.workers = roles_of(test);
    return round;
}

static void never_seen(const struct way *way, char *base)
{
    const size_t spreads[] = { page, 64, 8 };
    for (size_t t = 0; t < LENGTH(litmus); t++) {
        for (int i = 0; i < ROUNDS; i++) {
            struct round round = next_round(&litmus[t], base, spreads[i % 4 % LENGTH(spreads)]);
            int seen = run_round(&round);
            if (seen > 0)
                failed(__FILE__, __LINE__,
                       "%s, %s, variables %zu bytes apart: forbidden, seen %d times",
                       litmus[t].name, way->name, round.spread, seen);
        }
    }
}

static void seen_when_broken(const struct way *way)
{
    void *base;
    EXPECT(BYRE_OK, byre_dsm_alloc(INSTANCES * VARS * page, &way->attr, &base));
    byre__dsm_no_invalidate = true;
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t t = 0; t < LENGTH(litmus); t++) {
        int seen = 0, attempts = 0;
        if (litmus[t].blind || roles_of(&litmus[t]) > ranks) continue;
        while (seen == 0 && attempts < BROKEN_ATTEMPTS) {
            struct round round = next_round(&litmus[t], base, page);
            seen = run_round(&round);
            attempts++;
        }
        if (seen == 0)
            failed(__FILE__, __LINE__, "%s, %s: coherence is off, and it was not noticed",
                   litmus[t].name, way->name);
    }
    EXPECT(BYRE_OK, byre_barrier());
    byre__dsm_no_invalidate = false;
    EXPECT(BYRE_OK, byre_dsm_free(base));
}

int main(void)
{
    start();
    page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < LENGTH(ways); i++) {
        void *base;
        EXPECT(BYRE_OK, byre_dsm_alloc(INSTANCES * VARS * page, &ways[i].attr, &base));
        never_seen(&ways[i], base);
        EXPECT(BYRE_OK, byre_dsm_free(base));
        if (ranks > 1 && ways[i].attr.protocol == BYRE_DSM_INVALIDATE) seen_when_broken(&ways[i]);
    }
    return finish();
}
