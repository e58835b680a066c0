/* SPDX-License-Identifier: BSD-3-Clause */
/* Names: several servers under one, which of them is picked, waiting for one to appear, versions, errors. */
#include "rpc_tools.h"

static int who(int a, int b)
{
    (void)b;
    return a * 1000 + me;
}
static const struct procs procs = { .add = who };

static byre_rpc_binding_t bind_with(const char *name, byre_rpc_bind_attr_t attr)
{
    byre_rpc_binding_t binding = NULL;
    EXPECT(BYRE_OK, byre_rpc_bind(&test_interface, name, &attr, &binding));
    EXPECT(BYRE_OK, byre_rpc_use(&test_interface, binding));
    return binding;
}

static void picks(void)
{
    int seen[8] = { 0 };
    byre_rpc_server_t server = export_as("all", &procs, BYRE_RPC_ENGINE, 0, 0);
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_binding_t any = bind_with("all", (byre_rpc_bind_attr_t){ 0 });
    EQUAL(3000 + me, call_int(ADD, 3, 0));
    EQUAL(me, byre_rpc_rank(any));
    byre_rpc_binding_t round =
        bind_with("all", (byre_rpc_bind_attr_t){ .pick = BYRE_RPC_ROUND_ROBIN });
    for (int i = 0; i < 3 * ranks; i++) seen[call_int(ADD, 0, 0)]++;
    for (int r = 0; r < ranks; r++) EQUAL(3, seen[r]);
    byre_rpc_binding_t given =
        bind_with("all", (byre_rpc_bind_attr_t){ .pick = BYRE_RPC_RANK, .rank = right() });
    EQUAL(right(), call_int(ADD, 0, 0));
    EQUAL(right(), byre_rpc_rank(given));
    EXPECT(BYRE_OK, byre_rpc_use(&test_interface, NULL));
    EQUAL(me, call_int(ADD, 0, 0)); /* the first binding */
    EXPECT(BYRE_OK, byre_rpc_unbind(any));
    EXPECT(BYRE_OK, byre_rpc_unbind(given));
    EXPECT(BYRE_OK, byre_barrier());

    /* One leaves: the rest is still there. */
    if (me == 0) EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_OK, byre_barrier());
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < 2 * (ranks - 1); i++) seen[call_int(ADD, 0, 0)]++;
    for (int r = 0; r < ranks; r++) EQUAL(r == 0 ? 0 : 2, seen[r]);
    if (ranks == 1) {
        (void)call_int(ADD, 0, 0);
        OUTCOME(BYRE_ENOTFOUND, 0);
        EXPECT(BYRE_ENOTFOUND, byre_rpc_rank(round));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(round));
    EXPECT(BYRE_OK, byre_rpc_unbind(NULL));
    if (me != 0) EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

/* A name that comes later; one that goes and comes back. */
static void waits(void)
{
    byre_rpc_server_t server = NULL;
    byre_rpc_binding_t binding = NULL;
    EXPECT(BYRE_ENOTFOUND, byre_rpc_bind(&test_interface, "late", NULL, &binding));
    byre_rpc_bind_attr_t brief = { .wait_ms = 20 };
    double begun = now_s();
    EXPECT(BYRE_ENOTFOUND, byre_rpc_bind(&test_interface, "late", &brief, &binding));
    CHECK(now_s() - begun >= 0.019);
    EXPECT(BYRE_OK, byre_barrier());
    if (me == ranks - 1) {
        nap_ms(20);
        server = export_as("late", &procs, BYRE_RPC_POPUP, 0, 0);
    }
    binding = bind_with("late", (byre_rpc_bind_attr_t){ .wait_ms = -1, .rebind = 1 });
    EQUAL(5000 + ranks - 1, call_int(ADD, 5, 0));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == ranks - 1) EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(0, call_int(ADD, 5, 0));
    OUTCOME(BYRE_ENOTFOUND, 0);
    EXPECT(BYRE_ENOTFOUND, byre_rpc_rank(binding));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) server = export_as("late", &procs, BYRE_RPC_POPUP, 0, 0);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(6000, call_int(ADD, 6, 0));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    if (me == 0) EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

/* Rank 0 has version 1.2. */
static void versions(void)
{
    static const struct {
        uint32_t major, minor;
        uint64_t hash;
        const char *name;
        int error;
    } clients[] = {
        { 1, 2, 0x1234, "test", BYRE_OK },     { 1, 1, 0x777, "test", BYRE_OK },
        { 1, 0, 0x888, "test", BYRE_OK },      { 1, 3, 0x1234, "test", BYRE_EPROTO },
        { 1, 2, 0x1235, "test", BYRE_EPROTO }, { 2, 0, 0x1234, "test", BYRE_EPROTO },
        { 0, 9, 0x1234, "test", BYRE_EPROTO }, { 1, 2, 0x1234, "toast", BYRE_EPROTO },
    };
    byre_rpc_server_t server = NULL;
    if (me == 0) server = export_as("version", &procs, BYRE_RPC_ENGINE, 0, 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < LENGTH(clients); i++) {
        byre_rpc_interface_t interface = test_interface;
        byre_rpc_binding_t binding = NULL;
        byre_rpc_bind_attr_t attr = { .wait_ms = -1 };
        interface.major = clients[i].major;
        interface.minor = clients[i].minor;
        interface.hash = clients[i].hash;
        interface.name = clients[i].name;
        interface.client = NULL;
        EXPECT(clients[i].error, byre_rpc_bind(&interface, "version", &attr, &binding));
        if (clients[i].error == BYRE_OK) {
            struct int_frame frame = { 4, 0, 0 };
            EXPECT(BYRE_OK, byre_rpc_call(&interface, ADD, &frame));
            EQUAL(4000, frame.result);
            EXPECT(BYRE_EINVAL, byre_rpc_use(&test_interface, binding));
            EXPECT(BYRE_OK, byre_rpc_unbind(binding));
        }
    }
    EXPECT(BYRE_OK, byre_barrier());
    if (me == 0) EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

static _Atomic int handled;

static void on_message(const byre_am_t *am, void *arg)
{
    byre_rpc_server_t server;
    byre_rpc_binding_t binding;
    (void)am, (void)arg;
    null();
    EXPECT(BYRE_ECONTEXT, byre_rpc_outcome(NULL));
    EXPECT(BYRE_ECONTEXT, byre_rpc_export(&test_interface, &procs, "x", NULL, &server));
    EXPECT(BYRE_ECONTEXT, byre_rpc_bind(&test_interface, "x", NULL, &binding));
    atomic_store(&handled, 1);
}

static void errors(void)
{
    char name[80];
    byre_rpc_server_t server = NULL;
    byre_rpc_binding_t binding = NULL;
    memset(name, 'n', sizeof name);
    name[64] = 0;
    EXPECT(BYRE_EINVAL, byre_rpc_export(&test_interface, &procs, name, NULL, &server));
    EXPECT(BYRE_EINVAL, byre_rpc_export(&test_interface, &procs, "", NULL, &server));
    EXPECT(BYRE_EINVAL, byre_rpc_export(&test_interface, NULL, "x", NULL, &server));
    EXPECT(BYRE_EINVAL, byre_rpc_export(NULL, &procs, "x", NULL, &server));
    EXPECT(BYRE_EINVAL, byre_rpc_unexport(NULL));
    EXPECT(BYRE_EINVAL, byre_rpc_bind(&test_interface, name, NULL, &binding));
    EXPECT(BYRE_ERANK,
           byre_rpc_bind(&test_interface, "x",
                         &(byre_rpc_bind_attr_t){ .pick = BYRE_RPC_RANK, .rank = ranks },
                         &binding));
    EXPECT(BYRE_EINVAL, byre_rpc_test(NULL));
    EXPECT(BYRE_EINVAL, byre_rpc_cancel(NULL));
    EXPECT(BYRE_ENOTFOUND, byre_rpc_cancel_thread((uintptr_t)pthread_self()));
    name[63] = 0;
    server = export_as(name, &procs, BYRE_RPC_POPUP, 0, 0);
    EXPECT(BYRE_EINVAL, byre_rpc_serve(server, 0, 0));
    binding = bind_to(name, me, 0);
    EQUAL(7000 + me, call_int(ADD, 7, 0));
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    EXPECT(BYRE_OK, byre_am_register(1, on_message, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_am_send(right(), 1, NULL, 0, NULL, 0));
    UNTIL(atomic_load(&handled));
}

int main(void)
{
    start();
    picks();
    waits();
    versions();
    errors();
    return finish();
}
