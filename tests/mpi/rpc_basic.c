/* SPDX-License-Identifier: BSD-3-Clause */
/* Every rank calls a server on every rank, whoever runs it there. */
#include "rpc_tools.h"

static _Atomic int nulls;

static void do_null(void)
{
    atomic_fetch_add(&nulls, 1);
}

static int do_add(int a, int b)
{
    CHECK(byre_rpc_caller() >= 0 && byre_rpc_caller() < ranks);
    EQUAL(a / 1000000, byre_rpc_caller());
    return a + b;
}

static const struct procs procs = { .null = do_null, .add = do_add };

static void *call_in_thread(void *arg)
{
    for (int i = 0; i < 200; i++) {
        int a = me * 1000000 + i;
        EQUAL(a + 5, call_int(ADD, a, 5));
        OUTCOME(BYRE_OK, 1);
    }
    return arg;
}

static void serve_as(byre_rpc_serving_t serving, const char *name)
{
    byre_rpc_server_t server = export_as(name, &procs, serving, 0, 0);
    for (int r = 0; r < ranks; r++) {
        byre_rpc_binding_t binding = bind_to(name, r, 0);
        EXPECT(BYRE_OK, byre_rpc_use(&test_interface, binding));
        EQUAL(r, byre_rpc_rank(binding));
        for (int i = 0; i < 50; i++) {
            int a = me * 1000000 + i;
            null();
            OUTCOME(BYRE_OK, 1);
            EQUAL(a + i, call_int(ADD, a, i));
            OUTCOME(BYRE_OK, 1);
        }
        byre_rpc_outcome_t outcome;
        EXPECT(BYRE_OK, byre_rpc_outcome(&outcome));
        EQUAL(r, outcome.rank);
        CHECK(strcmp(outcome.proc, "add") == 0);
        EXPECT(BYRE_OK, byre_rpc_use(&test_interface, NULL));
        EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(50 * ranks, atomic_exchange(&nulls, 0));
}

static void threads_call(void)
{
    pthread_t threads[4];
    byre_rpc_server_t server = export_as("threads", &procs, BYRE_RPC_POPUP, 2, 0);
    byre_rpc_binding_t binding = bind_to("threads", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, call_in_thread, NULL) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_EINVAL, byre_rpc_unexport(server));
}

int main(void)
{
    start();
    null();
    OUTCOME(BYRE_ENOTFOUND, 0);
    EXPECT(BYRE_ESTATE, byre_rpc_caller());
    serve_as(BYRE_RPC_ENGINE, "engine");
    serve_as(BYRE_RPC_POPUP, "popup");
    threads_call();
    null();
    OUTCOME(BYRE_ENOTFOUND, 0);
    return finish();
}
