/* SPDX-License-Identifier: BSD-3-Clause */
/* Who serves: the pool and its bounds, the application in byre_rpc_serve; many calls under way. */
#include "rpc_tools.h"

enum { MANY = 300 };

static _Atomic int running, most, gate, served;

static int count(int a, int b)
{
    int now = atomic_fetch_add(&running, 1) + 1, seen = atomic_load(&most);
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {}
    while (!atomic_load(&gate)) nap_ms(1);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_add(&served, 1);
    return a * 2 + b;
}
static int quick(int a, int b)
{
    return a - b;
}
static const struct procs procs = { .once = count, .add = quick };

static void finish_all(byre_rpc_future_t *futures, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct int_frame frame;
        EXPECT(BYRE_OK, byre_rpc_end(futures[i], &frame));
        EQUAL(i * 2 + 1, frame.result);
    }
}

static void begin_all(byre_rpc_future_t *futures, int from, int to)
{
    for (int i = from; i < to; i++) {
        struct int_frame frame = { i, 1, 0 };
        EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ONCE, &frame, &futures[i]));
    }
}

/* Three run, ten wait, one more is refused and has not run. */
static void overflow(void)
{
    byre_rpc_future_t futures[14];
    byre_rpc_server_t server = export_as("three", &procs, BYRE_RPC_POPUP, 3, 10);
    byre_rpc_binding_t binding = bind_to("three", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    begin_all(futures, 0, 14);
    struct int_frame frame;
    EXPECT(BYRE_EAGAIN, byre_rpc_end(futures[13], &frame));
    OUTCOME(BYRE_EAGAIN, 0);
    UNTIL(atomic_load(&running) == 3);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&gate, 1);
    finish_all(futures, 0, 13);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(3, most);
    EQUAL(13, served);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

/* Calls that were given up while they waited are not run. */
static void given_up(void)
{
    byre_rpc_future_t futures[8];
    struct int_frame frame;
    atomic_store(&gate, 0);
    atomic_store(&served, 0);
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_server_t server = export_as("one", &procs, BYRE_RPC_POPUP, 1, 0);
    byre_rpc_binding_t binding = bind_to("one", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    begin_all(futures, 0, 8);
    UNTIL(atomic_load(&running) == 1);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 2; i < 8; i += 2) {
        EXPECT(BYRE_OK, byre_rpc_cancel(futures[i]));
        EXPECT(BYRE_ECANCELED, byre_rpc_end(futures[i], &frame));
    }
    EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, ONCE, &frame, &futures[2]));
    EXPECT(BYRE_OK, byre_rpc_cancel(futures[2]));
    EXPECT(BYRE_ECANCELED, byre_rpc_end(futures[2], &frame));
    EXPECT(BYRE_OK, byre_barrier()); /* on the same channel: what was sent before has arrived */
    nap_ms(20);
    atomic_store(&gate, 1);
    finish_all(futures, 0, 2);
    finish_all(futures, 3, 4);
    finish_all(futures, 5, 6);
    finish_all(futures, 7, 8);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(5, served);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

static void many(byre_rpc_serving_t serving)
{
    static byre_rpc_future_t futures[MANY];
    atomic_store(&gate, 1);
    EXPECT(BYRE_OK, byre_barrier()); /* the name is used again */
    byre_rpc_server_t server = export_as("many", &procs, serving, 4, MANY * 8);
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_binding_t binding = NULL;
    byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_ROUND_ROBIN };
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, "many", &attr, &binding));
    begin_all(futures, 0, MANY);
    for (int i = MANY; i-- > 0;) finish_all(futures, i, i + 1); /* in any order */
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

static void *serve_all(void *server)
{
    int done = 0;
    while (done < 40 * ranks) {
        int n = byre_rpc_serve(server, 7, -1);
        CHECK(n >= 1 && n <= 7);
        done += n;
    }
    EQUAL(40 * ranks, done);
    return NULL;
}

static void polled(void)
{
    pthread_t thread;
    byre_rpc_server_t server = export_as("polled", &procs, BYRE_RPC_POLLED, 0, 2);
    EQUAL(0, byre_rpc_serve(server, 0, 0));
    EQUAL(0, byre_rpc_serve(server, 0, 10));
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_binding_t binding = bind_to("polled", right(), 0);
    byre_rpc_future_t futures[3];
    begin_all(futures, 0, 3);
    struct int_frame frame;
    EXPECT(BYRE_EAGAIN, byre_rpc_end(futures[2], &frame));
    OUTCOME(BYRE_EAGAIN, 0);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(1, byre_rpc_serve(server, 1, -1));
    EQUAL(1, byre_rpc_serve(server, 0, 0));
    EQUAL(0, byre_rpc_serve(server, 0, 0));
    finish_all(futures, 0, 2);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(pthread_create(&thread, NULL, serve_all, server) == 0);
    for (int r = 0; r < ranks; r++) {
        binding = bind_to("polled", r, 0);
        for (int i = 0; i < 40; i++) {
            int result;
            UNTIL((result = call_int(ADD, i, 1), byre_rpc_outcome(NULL) != BYRE_EAGAIN));
            EQUAL(i - 1, result);
        }
        EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    }
    CHECK(pthread_join(thread, NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_EINVAL, byre_rpc_serve(server, 0, 0));
}

int main(void)
{
    start();
    overflow();
    given_up();
    many(BYRE_RPC_POPUP);
    many(BYRE_RPC_ENGINE);
    polled();
    return finish();
}
