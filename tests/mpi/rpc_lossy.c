/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of calls are lost and doubled: a procedure still runs once for each call, an [idempotent] one at
 * least once, and every caller gets its answer. */
#include "rpc_tools.h"
#include "rpc/inject.h"

enum { CALLS = 300 };

static _Atomic uint64_t drawn;
static _Atomic int percent_lost, percent_doubled;
static _Atomic int lose_next; /* of this id */

static byre__rpc_fate_t fate(int rank, int id)
{
    int next = id;
    (void)rank;
    if (atomic_compare_exchange_strong(&lose_next, &next, 0)) return BYRE__RPC_LOSE;
    int number = (int)(mix(atomic_fetch_add(&drawn, 1)) % 100);
    if (number < percent_lost) return BYRE__RPC_LOSE;
    return number < percent_lost + percent_doubled ? BYRE__RPC_DOUBLE : BYRE__RPC_PASS;
}

static _Atomic int ran[5][CALLS], repeated;
static _Atomic int64_t total;

static int once(int a, int b)
{
    EQUAL(0, atomic_fetch_add(&ran[b][a], 1));
    atomic_fetch_add(&total, a);
    return a + 1;
}
static int again(int a, int b)
{
    (void)b;
    atomic_fetch_add(&repeated, 1);
    return a * 3;
}
static uint64_t make(uint64_t bytes, uint64_t seed, unsigned char *data)
{
    fill(data, bytes, seed);
    return seed;
}
static const struct procs procs = { .once = once, .again = again, .make = make };

static void clear(void)
{
    EXPECT(BYRE_OK, byre_barrier());
    memset(ran, 0, sizeof ran);
    atomic_store(&repeated, 0);
    EXPECT(BYRE_OK, byre_barrier());
}

static void storm(byre_rpc_serving_t serving)
{
    static unsigned char data[30000];
    clear();
    byre_rpc_server_t server = export_as("lossy", &procs, serving, 3, 0);
    byre_rpc_binding_t binding = bind_to("lossy", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&percent_lost, 20);
    atomic_store(&percent_doubled, 20);
    for (int i = 0; i < CALLS; i++) {
        EQUAL(i + 1, call_int(ONCE, i, me));
        EQUAL(i * 3, call_int(AGAIN, i, 0));
        if (i % 10 != 0) continue;
        size_t bytes = i % 20 == 0 ? 5000 : 30000;
        EQUAL(i, call_bytes(MAKE, bytes, (uint64_t)i, data));
        CHECK(filled(data, bytes, (uint64_t)i));
    }
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < CALLS; i++) EQUAL(1, ran[left()][i]);
    CHECK(repeated >= CALLS);
    atomic_store(&percent_lost, 0);
    atomic_store(&percent_doubled, 0);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

static void one_loss(void)
{
    clear();
    byre_rpc_server_t server = export_as("loss", &procs, BYRE_RPC_ENGINE, 0, 0);
    byre_rpc_binding_t binding = bind_to("loss", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < 10; i++) {
        atomic_store(&lose_next, BYRE__AM_RPC_CALL);
        EQUAL(i + 1, call_int(ONCE, i, me));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(10, ran[left()][0] + ran[left()][1] + ran[left()][2] + ran[left()][3] + ran[left()][4] +
                  ran[left()][5] + ran[left()][6] + ran[left()][7] + ran[left()][8] +
                  ran[left()][9]);
    EXPECT(BYRE_OK, byre_barrier());
    /* The answer is lost: the kept one is sent again, and the idempotent one runs twice. */
    atomic_store(&lose_next, BYRE__AM_RPC_REPLY);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(101, call_int(ONCE, 100, me));
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(1, ran[left()][100]);
    EQUAL(0, lose_next);
    EXPECT(BYRE_OK, byre_barrier());
    atomic_store(&lose_next, BYRE__AM_RPC_REPLY);
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(15, call_int(AGAIN, 5, 0));
    EXPECT(BYRE_OK, byre_barrier());
    EQUAL(2, repeated);
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
}

int main(void)
{
    start();
    drawn = (uint64_t)me << 32;
    byre__rpc_resend_ns = 20000000;
    byre__rpc_inject = fate;
    one_loss();
    byre__rpc_resend_ns = 3000000;
    storm(BYRE_RPC_ENGINE);
    storm(BYRE_RPC_POPUP);
    byre__rpc_inject = NULL;
    return finish();
}
