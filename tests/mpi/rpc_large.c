/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments and results from nothing to 16 MiB. */
#include "rpc_bytes.h"

/* Several at once, of sizes that travel in different ways. */
static void futures_of(unsigned char *data)
{
    static const size_t sizes[] = { 0, 100, 5000, 20000, 300000 };
    enum { EACH = 3 };
    byre_rpc_future_t futures[LENGTH(sizes)][EACH];
    struct bytes_frame frames[LENGTH(sizes)][EACH];
    unsigned char *at = data;
    for (size_t s = 0; s < LENGTH(sizes); s++) {
        for (int i = 0; i < EACH; i++) {
            struct bytes_frame *frame = &frames[s][i];
            *frame = (struct bytes_frame){ sizes[s], s * 10 + (uint64_t)i, at, 0 };
            fill(at, sizes[s], frame->seed);
            at += sizes[s];
            EXPECT(BYRE_OK, byre_rpc_begin(&test_interface, FLIP, frame, &futures[s][i]));
        }
    }
    for (size_t s = 0; s < LENGTH(sizes); s++) {
        for (int i = 0; i < EACH; i++) {
            struct bytes_frame *frame = &frames[s][i];
            EXPECT(BYRE_OK, byre_rpc_end(futures[s][i], frame));
            EQUAL(sizes[s], frame->result);
            CHECK(filled(frame->data, sizes[s], frame->seed + 1));
        }
    }
}

int main(void)
{
    static const byre_rpc_serving_t servings[] = { BYRE_RPC_POPUP, BYRE_RPC_ENGINE };
    start();
    unsigned char *data = room_for(16 * MIB);
    for (size_t i = 0; i < LENGTH(servings); i++) {
        byre_rpc_server_t server = export_as("large", &bytes_procs, servings[i], 0, 0);
        byre_rpc_binding_t binding = bind_to("large", right(), 0);
        EXPECT(BYRE_OK, byre_barrier());
        for (uint64_t bytes = 1; bytes <= MIB; bytes *= 4) all_ways(bytes, data);
        for (uint64_t bytes = 3900; bytes < 4200; bytes += 10) all_ways(bytes, data);
        for (uint64_t bytes = 16300; bytes < 16400; bytes += 10) all_ways(bytes, data);
        all_ways(0, data);
        if (ranks <= 2) all_ways(16 * MIB, data);
        futures_of(data);
        EXPECT(BYRE_OK, byre_barrier());
        EXPECT(BYRE_OK, byre_rpc_unbind(binding));
        EXPECT(BYRE_OK, byre_rpc_unexport(server));
        EXPECT(BYRE_OK, byre_barrier()); /* the name is used again */
    }
    free(data);
    return finish();
}
