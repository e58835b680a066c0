/* SPDX-License-Identifier: BSD-3-Clause */
/* Context handles: made, used, ended; stale, foreign and made up ones; run down when the server is taken back. */
#include "rpc_context_tools.h"

static byre_rpc_server_t export_pots(byre_rpc_serving_t serving)
{
    byre_rpc_export_attr_t attr = { .serving = serving };
    byre_rpc_server_t server = NULL;
    EXPECT(BYRE_OK, byre_rpc_export(&pot_interface, &pot_procs, NULL, &attr, &server));
    EXPECT(BYRE_OK, byre_barrier());
    return server;
}

static byre_rpc_binding_t bind_pots(int rank, byre_rpc_pick_t pick)
{
    byre_rpc_bind_attr_t attr = { .pick = pick, .rank = rank };
    byre_rpc_binding_t binding = NULL;
    EXPECT(BYRE_OK, byre_rpc_bind(&pot_interface, NULL, &attr, &binding));
    EXPECT(BYRE_OK, byre_rpc_use(&pot_interface, binding));
    return binding;
}

static void wrong(void *pot)
{
    EQUAL(0, call_use(USE, 1, pot));
    OUTCOME(BYRE_EINVAL, 0);
}

static void life_of_a_pot(void)
{
    void *pot = NULL, *other = NULL;
    EQUAL(-2, call_use(USE, 1, NULL));
    EQUAL(-1, call_pot(CLOSE, 1, &pot));
    CHECK(call_pot(OPEN, 10, &pot) >= 1);
    CHECK(call_pot(OPEN, 20, &other) >= 2);
    CHECK(pot != NULL && other != NULL && pot != other);
    void *same = pot;
    EQUAL(13, call_use(USE, 3, pot));
    EQUAL(25, call_use(USE, 5, other));
    EQUAL(14, call_use(USE, 1, pot));
    CHECK(pot == same);
    EQUAL(15, call_pot(CLOSE, 1, &pot));
    CHECK(pot == NULL);
    wrong(same);
    CHECK(call_pot(OPEN, 30, &pot) >= 1);
    wrong(same); /* its place in the table is in use again */
    EQUAL(31, call_use(USE, 1, pot));
    wrong(&other);
    wrong((void *)(uintptr_t)1);
    wrong((void *)UINTPTR_MAX);
    wrong((void *)(uintptr_t)0x1000);
    EQUAL(25, call_pot(CLOSE, 0, &other));
    EQUAL(31, call_pot(CLOSE, 0, &pot));
    CHECK(pot == NULL && other == NULL);
}

/* A handle of one server means nothing to another one; where calls go round, they go where the handle leads. */
static void foreign(void)
{
    void *pot = NULL;
    byre_rpc_binding_t here = bind_pots(me, BYRE_RPC_RANK);
    CHECK(call_pot(OPEN, 7, &pot) >= 1);
    byre_rpc_binding_t there = bind_pots(right(), BYRE_RPC_RANK);
    if (ranks > 1) wrong(pot);
    byre_rpc_binding_t round = bind_pots(0, BYRE_RPC_ROUND_ROBIN);
    for (int i = 1; i <= 2 * ranks; i++) EQUAL(7 + i, call_use(USE, 1, pot));
    EQUAL(7 + 2 * ranks, call_pot(CLOSE, 0, &pot));
    EXPECT(BYRE_OK, byre_rpc_unbind(round));
    EXPECT(BYRE_OK, byre_rpc_unbind(there));
    EXPECT(BYRE_OK, byre_rpc_unbind(here));
}

int main(void)
{
    static const byre_rpc_serving_t servings[] = { BYRE_RPC_ENGINE, BYRE_RPC_POPUP };
    start();
    for (size_t i = 0; i < LENGTH(servings); i++) {
        void *left_open[3] = { 0 };
        byre_rpc_server_t server = export_pots(servings[i]);
        byre_rpc_binding_t binding = bind_pots(right(), BYRE_RPC_RANK);
        for (int k = 0; k < 50; k++) life_of_a_pot();
        foreign();
        EXPECT(BYRE_OK, byre_rpc_use(&pot_interface, binding));
        EXPECT(BYRE_OK, byre_barrier());
        EQUAL(0, pots);
        EXPECT(BYRE_OK, byre_barrier());
        for (int k = 0; k < 3; k++) CHECK(call_pot(OPEN, k, &left_open[k]) == k + 1);
        EXPECT(BYRE_OK, byre_barrier());
        EXPECT(BYRE_OK, byre_rpc_unexport(server));
        EQUAL(0, pots);
        EQUAL(3, atomic_exchange(&run_downs, 0));
        EXPECT(BYRE_OK, byre_rpc_unbind(binding));
        EXPECT(BYRE_OK, byre_barrier());
    }
    return finish();
}
