/* SPDX-License-Identifier: BSD-3-Clause */
/* A rank is killed that serves calls, makes them, or has names. argv[1]: how; argv[2]: the victim. */
#include "survive.h"

#include "../mpi/rpc_context_tools.h"

enum { CALLS = 5 };

static _Atomic int stays;

static int add(int a, int b)
{
    return a + b + 1000 * me;
}
static int stay(int a, int b)
{
    atomic_fetch_add(&stays, 1);
    while (atomic_load(&stays) > 0) nap_ms(100);
    return a + b;
}
static int again(int a, int b)
{
    if (me == victim) die();
    return a * b;
}
static const struct procs procs = { .add = add, .once = stay, .again = again };

/* Nothing is under way; the next call finds out. */
static void idle(void)
{
    byre_rpc_binding_t binding = bind_to("server", victim, 0);
    EQUAL(7 + 1000 * victim, call_int(ADD, 3, 4));
    about_to_wait();
    while (call_int(ADD, 3, 4) != 0) {}
    EXPECT(BYRE_EPEER, byre_rpc_outcome(NULL));
    found_dead_in_time();
    EQUAL(0, call_int(ADD, 3, 4)); /* known to be dead: it was not sent */
    OUTCOME(BYRE_EPEER, 0);
    EXPECT(BYRE_ENOTFOUND, byre_rpc_rank(binding));
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

/* Some calls run, others wait in the queue; none has an answer. */
static void in_a_call(void)
{
    byre_rpc_binding_t binding = bind_to("server", victim, 0);
    byre_rpc_future_t futures[CALLS];
    struct int_frame frame = { 0 };
    for (int i = 0; i < CALLS; i++)
        EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ONCE, &frame, &futures[i]));
    about_to_wait();
    EQUAL(0, call_int(ONCE, 3, 4));
    OUTCOME(BYRE_EPEER, 1);
    found_dead_in_time();
    for (int i = 0; i < CALLS; i++) {
        EXPECT(BYRE_OK, byre_rpc_test(futures[i]));
        EXPECT(BYRE_EPEER, byre_rpc_end(futures[i], &frame));
        OUTCOME(BYRE_EPEER, 1);
    }
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

/* Large arguments and replies under way. */
static void in_a_transfer(void)
{
    static unsigned char data[3 * MIB];
    byre_rpc_binding_t binding = bind_to("server", victim, 0);
    about_to_wait();
    do (void)call_bytes(FLIP, sizeof data, 1, data);
    while (byre_rpc_outcome(NULL) == BYRE_OK);
    EXPECT(BYRE_EPEER, byre_rpc_outcome(NULL));
    found_dead_in_time();
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}
static uint64_t flip(uint64_t bytes, uint64_t seed, unsigned char *data)
{
    memset(data, (int)seed, bytes);
    return bytes;
}
static const struct procs transfer_procs = { .flip = flip };

/* The next call goes to another server of the name; an [idempotent] one that was under way does so by itself. */
static void rebind(void)
{
    byre_rpc_binding_t binding = NULL;
    byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK, .rank = victim, .rebind = 1 };
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, "server", &attr, &binding));
    EQUAL(7 + 1000 * victim, call_int(ADD, 3, 4));
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(12, call_int(AGAIN, 3, 4)); /* the victim dies of it */
    OUTCOME(BYRE_OK, 1);
    found_dead_in_time();
    CHECK(byre_rpc_rank(binding) != victim);
    EQUAL(7 + 1000 * byre_rpc_rank(binding), call_int(ADD, 3, 4));
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

/* Whoever is dead has no names; all others' are there, and new ones can be made. */
static void names(void)
{
    byre_rpc_binding_t binding = NULL;
    byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK, .rank = victim, .wait_ms = -1 };
    byre_rpc_binding_t round = NULL;
    byre_rpc_bind_attr_t all = { .pick = BYRE_RPC_ROUND_ROBIN };
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, "server", &all, &round));
    about_to_wait();
    UNTIL(byre_peer_failed(victim));
    for (int i = 0; i < 2 * (ranks - 1); i++) {
        EQUAL(7, call_int(ADD, 3, 4) % 1000);
        OUTCOME(BYRE_OK, 1);
    }
    EXPECT(BYRE_OK, byre_rpc_unbind(round));
    EXPECT(BYRE_ENOTFOUND, byre_rpc_bind(&test_interface, "server", &attr, &binding));
    for (int r = 0; r < ranks; r++) {
        if (r == victim) continue;
        binding = bind_to("server", r, 0);
        EQUAL(7 + 1000 * r, call_int(ADD, 3, 4));
        EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    }
    byre_rpc_server_t server = export_as("new", &procs, BYRE_RPC_ENGINE, 0, 0);
    binding = bind_to("new", next_alive(1), 0);
    EQUAL(7 + 1000 * next_alive(1), call_int(ADD, 3, 4));
    meet_the_living();
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

/* A client dies that has open contexts, one of them in a call. */
static void context(void)
{
    byre_rpc_server_t server = NULL;
    EXPECT(BYRE_OK, byre_rpc_export(&pot_interface, pot_procs, NULL, NULL, &server));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == victim) {
        void *pot[3] = { 0 };
        for (int r = 0; r < ranks; r++) {
            byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK, .rank = r };
            byre_rpc_binding_t binding = NULL;
            byre_rpc_future_t future = NULL;
            if (r == me) continue;
            EXPECT(BYRE_OK, byre_rpc_bind(&pot_interface, NULL, &attr, &binding));
            EXPECT(BYRE_OK, byre_rpc_use(&pot_interface, binding));
            for (int i = 0; i < 3; i++) EQUAL(i + 1, call_pot(OPEN, i, &pot[i]));
            struct use_frame frame = { 1, pot[1], 0 };
            EXPECT(BYRE_OK, byre_rpc_begin(&pot_interface, STIR, &frame, &future));
            EQUAL(4, call_use(USE, 2, pot[2]));
        }
        die_when_all_wait();
    }
    UNTIL(atomic_load(&pot_users) == 1);
    about_to_wait();
    UNTIL(atomic_load(&run_downs) == 2);
    found_dead_in_time();
    nap_ms(20);
    EQUAL(2, run_downs); /* the third is in a call */
    atomic_store(&pot_gate, 1);
    UNTIL(atomic_load(&run_downs) == 3);
    nap_ms(20);
    EQUAL(3, run_downs);
    EQUAL(0, pots);
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "idle";
    byre_rpc_server_t server = NULL;
    begin(argc - 1, argv + 1);
    bool transfer = strcmp(how, "transfer") == 0;
    if (strcmp(how, "context") != 0) {
        server = export_as("server", transfer ? &transfer_procs : &procs, BYRE_RPC_POPUP, 2, 0);
        EXPECT(BYRE_OK, byre_barrier());
    }
    if (me == victim && strcmp(how, "rebind") == 0) {
        EXPECT(BYRE_OK, byre_barrier());
        for (;;) nap_ms(100);
    }
    if (me == victim && strcmp(how, "context") != 0) die_when_all_wait();
    if (strcmp(how, "idle") == 0)
        idle();
    else if (strcmp(how, "call") == 0)
        in_a_call();
    else if (transfer)
        in_a_transfer();
    else if (strcmp(how, "rebind") == 0)
        rebind();
    else if (strcmp(how, "names") == 0)
        names();
    else if (strcmp(how, "context") == 0)
        context();
    else
        CHECK(!"a known way");
    go_on(1);
    meet_the_living();
    if (server != NULL) EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return leave();
}
