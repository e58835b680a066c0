/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls within calls, round and round between ranks, deeper than there are threads to serve them. */
#include "rpc_tools.h"

enum { DEPTH = 50 };

static _Atomic(byre_rpc_server_t) server;

/* Down to depth 0: the sum of the ranks on the way. */
static int down(int depth, int tag)
{
    int caller = byre_rpc_caller();
    CHECK(caller >= 0);
    EXPECT(BYRE_ECONTEXT, byre_rpc_unexport(server));
    if (depth == 0) return me;
    int sum = me + call_int(ONCE, depth - 1, tag);
    OUTCOME(BYRE_OK, 1);
    EQUAL(caller, byre_rpc_caller()); /* as before the call */
    return sum;
}
static const struct procs procs = { .once = down };

static int expected(int depth)
{
    int sum = 0;
    for (int r = right(); depth >= 0; depth--, r = (r + 1) % ranks) sum += r;
    return sum;
}

static void *go_down(void *arg)
{
    int tag = (int)(intptr_t)arg;
    for (int i = 0; i < 3; i++) EQUAL(expected(DEPTH), call_int(ONCE, DEPTH, tag));
    for (int depth = 0; depth < 5; depth++) EQUAL(expected(depth), call_int(ONCE, depth, tag));
    return NULL;
}

static void *serve(void *arg)
{
    while (byre_rpc_serve(server, 1, -1) > 0) {}
    return arg;
}

/* All ranks at once, `callers` threads of each; a procedure of a server that is polled is run by the thread
 * that waits in another one. */
static void round_and_round(byre_rpc_serving_t serving, unsigned threads, int callers)
{
    pthread_t ids[4], serving_thread;
    server = export_as("nested", &procs, serving, threads, 0);
    byre_rpc_binding_t binding = bind_to("nested", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    if (serving == BYRE_RPC_POLLED) CHECK(pthread_create(&serving_thread, NULL, serve, NULL) == 0);
    for (int i = 0; i < callers; i++)
        CHECK(pthread_create(&ids[i], NULL, go_down, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < callers; i++) CHECK(pthread_join(ids[i], NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    if (serving == BYRE_RPC_POLLED) CHECK(pthread_join(serving_thread, NULL) == 0);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_barrier()); /* the name is used again */
}

int main(void)
{
    start();
    round_and_round(BYRE_RPC_POPUP, 1, 1);
    round_and_round(BYRE_RPC_POPUP, 2, 3);
    round_and_round(BYRE_RPC_POLLED, 0, 1);
    round_and_round(BYRE_RPC_POLLED, 0, 2);
    return finish();
}
