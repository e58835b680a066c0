/* SPDX-License-Identifier: BSD-3-Clause */
/* Variables of an interface that servers and clients share. */
#include "lent.h"
#include "rpc_tools.h"

static void *counter_place, *text_place; /* behind the macros that byre-rpcgen writes */
#define counter (*(int *)counter_place)
#define text ((char *)text_place)

static const byre_rpc_shared_t shared[] = {
    { "counter", sizeof(int), &counter_place },
    { "text", 100, &text_place },
};
static void *client;
static byre_rpc_interface_t interface; /* the tests' own, with these */

static int count(int a, int b)
{
    counter += a;
    snprintf(text, 100, "%d by rank %d", b, me);
    return counter;
}
static int fetch(int a, int b)
{
    (void)a, (void)b;
    return counter;
}
static const struct procs procs = { .add = count, .once = fetch };

static int call(uint32_t proc, int a, int b)
{
    struct int_frame frame = { a, b, -1 };
    EXPECT(BYRE_OK, byre_rpc_call(&interface, proc, &frame));
    return frame.result;
}

int main(void)
{
    byre_rpc_server_t server = NULL;
    byre_rpc_binding_t binding = NULL;
    byre_rpc_export_attr_t one = { .threads = 1 };
    start();
    byre_dsm_free(byre_dsm_malloc(8)); /* a program that has shared memory */
    interface = test_interface;
    interface.shared = shared;
    interface.shared_count = LENGTH(shared);
    interface.client = &client;

    byre__lent_fn lent = byre__lent_memory;
    CHECK(lent != NULL);
    EXPECT(BYRE_OK, byre_barrier());
    byre__lent_memory = NULL;
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_ENOTFOUND, byre_rpc_export(&interface, &procs, NULL, &one, &server));
    EXPECT(BYRE_OK, byre_barrier());
    byre__lent_memory = lent;
    EXPECT(BYRE_OK, byre_barrier());

    EXPECT(BYRE_OK, byre_rpc_export(&interface, &procs, NULL, &one, &server)); /* all at once */
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(0, counter);
    EXPECT(BYRE_OK, byre_barrier());
    byre_rpc_bind_attr_t attr = { .pick = BYRE_RPC_RANK, .rank = 0 };
    EXPECT(BYRE_OK, byre_rpc_bind(&interface, NULL, &attr, &binding));
    for (int i = 0; i < 20; i++) (void)call(ADD, me + 1, 0);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(20 * ranks * (ranks + 1) / 2, counter); /* as any variable */
    EQUAL(counter, call(ONCE, 0, 0));
    EXPECT(BYRE_OK, byre_barrier());
    if (me == ranks - 1) counter = 4711;
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(4711, call(ONCE, 0, 0));
    if (me == ranks / 2) (void)call(ADD, 0, 99);
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(strcmp(text, "99 by rank 0") == 0);
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return finish();
}
