/* SPDX-License-Identifier: BSD-3-Clause */
/* How calls end: in time or not, canceled, one way, with a status, when their server is taken back. */
#include "rpc_tools.h"

static _Atomic int begun, ended, noted;
static _Atomic int gate; /* procedures stay until it is open */

static int stay(int a, int b)
{
    atomic_fetch_add(&begun, 1);
    while (!atomic_load(&gate)) nap_ms(1);
    atomic_fetch_add(&ended, 1);
    return a + b;
}
static void do_note(int a, int b)
{
    atomic_fetch_add(&noted, a + b);
}
static int do_add(int a, int b)
{
    return a + b;
}
static const struct procs procs = {
    .add = do_add, .once = stay, .note = do_note, .impatient = stay, .status = stay
};

static _Atomic int failures;
static void failed_call(const byre_rpc_outcome_t *outcome, void *arg)
{
    CHECK(arg == &failures);
    CHECK(outcome->error != BYRE_OK);
    EXPECT(outcome->error, byre_rpc_outcome(NULL));
    atomic_fetch_add(&failures, 1);
}

static void timeouts(void)
{
    byre_rpc_binding_t binding = NULL;
    byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK,
                                  .rank = right(),
                                  .timeout_ms = 30,
                                  .failed = failed_call,
                                  .arg = &failures };
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, "ends", &attr, &binding));
    EXPECT(BYRE_OK, byre_rpc_use(&test_interface, binding));
    double from = now_s();
    EQUAL(0, call_int(ONCE, 3, 4)); /* the result is zero after an error */
    OUTCOME(BYRE_ETIMEOUT, 1);
    CHECK(now_s() - from >= 0.029);
    EQUAL(1, failures);
    from = now_s();
    EQUAL(0, call_int(IMPATIENT, 3, 4));
    OUTCOME(BYRE_ETIMEOUT, 1);
    CHECK(now_s() - from >= 0.099);
    EQUAL(2, failures);
    EQUAL(BYRE_ETIMEOUT, call_int(STATUS, 3, 4));
    EQUAL(3, failures);
    EQUAL(7, call_int(ADD, 3, 4)); /* a reply that comes too late disturbs nobody */
    OUTCOME(BYRE_OK, 1);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&gate, 1);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(9, call_int(ONCE, 4, 5));
    EQUAL(10, call_int(STATUS, 4, 6));
    OUTCOME(BYRE_OK, 1);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(5, begun);
    UNTIL(atomic_load(&ended) == 5);
    EXPECT(BYRE_OK, byre_rpc_use(&test_interface, NULL));
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

static _Atomic int waiting;
static void *call_and_wait(void *arg)
{
    atomic_store(&waiting, 1);
    EQUAL(0, call_int(ONCE, 1, 1));
    OUTCOME(BYRE_ECANCELED, 1);
    EQUAL(2, call_int(ADD, 1, 1));
    return arg;
}

static void cancels(void)
{
    pthread_t thread;
    byre_rpc_future_t future = NULL;
    struct int_frame frame = { 2, 3, 0 };
    byre_rpc_binding_t binding = bind_to("ends", right(), 0);
    atomic_store(&gate, 0);
    atomic_store(&begun, 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ONCE, &frame, &future));
    EXPECT(BYRE_EAGAIN, byre_rpc_test(future));
    EXPECT(BYRE_EBUSY, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_cancel(future));
    EXPECT(BYRE_OK, byre_rpc_test(future));
    EXPECT(BYRE_OK, byre_rpc_cancel(future));
    EXPECT(BYRE_ECANCELED, byre_rpc_end(future, &frame));
    OUTCOME(BYRE_ECANCELED, 1);
    EQUAL(0, frame.result);
    CHECK(pthread_create(&thread, NULL, call_and_wait, NULL) == 0);
    UNTIL(byre_rpc_cancel_thread((uintptr_t)thread) == BYRE_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&gate, 1);
    EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ADD, &frame, &future));
    UNTIL(byre_rpc_test(future) == BYRE_OK);
    EXPECT(BYRE_OK, byre_rpc_cancel(future)); /* its answer has come */
    EXPECT(BYRE_OK, byre_rpc_end(future, &frame));
    EQUAL(5, frame.result);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

static void one_way(void)
{
    byre_rpc_binding_t binding = bind_to("ends", right(), 0);
    for (int i = 0; i < 100; i++) {
        struct int_frame frame = { 1, 0, 0 };
        EXPECT(BYRE_OK, byre_rpc_call(&test_interface, NOTE, &frame));
    }
    UNTIL(atomic_load(&noted) == 100);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

/* Calls that run are finished; those that wait, and later ones, are refused. */
static void *take_back(void *server)
{
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return NULL;
}

static void unexports(void)
{
    enum { CALLS = 6 };
    byre_rpc_future_t futures[CALLS];
    pthread_t thread;
    struct int_frame frame = { 20, 3, 0 };
    atomic_store(&gate, 0);
    atomic_store(&begun, 0);
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_server_t server = export_as("narrow", &procs, BYRE_RPC_POPUP, 2, 0);
    byre_rpc_binding_t binding = bind_to("narrow", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < CALLS; i++)
        EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ONCE, &frame, &futures[i]));
    UNTIL(atomic_load(&begun) == 2);
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(pthread_create(&thread, NULL, take_back, server) == 0);
    for (int i = 2; i < CALLS; i++) {
        EXPECT(BYRE_ENOTFOUND, byre_rpc_end(futures[i], &frame));
        OUTCOME(BYRE_ENOTFOUND, 0);
    }
    EXPECT(BYRE_ENOTFOUND, byre_rpc_call(&test_interface, ADD, &frame));
    OUTCOME(BYRE_ENOTFOUND, 0);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&gate, 1);
    for (int i = 0; i < 2; i++) {
        EXPECT(BYRE_OK, byre_rpc_end(futures[i], &frame));
        EQUAL(23, frame.result);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
}

int main(void)
{
    start();
    byre_rpc_server_t server = export_as("ends", &procs, BYRE_RPC_POPUP, 0, 0);
    EXPECT(BYRE_OK, byre_barrier());
    timeouts();
    cancels();
    one_way();
    unexports();
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return finish();
}
