/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments in shared memory: pages that MPI must not see, and that the calling thread may have to fetch. */
#include "rpc_bytes.h"

int main(void)
{
    static const size_t sizes[] = { 8, 4000, 5000, 100000 };
    start();
    byre_rpc_server_t server = export_as("paged", &bytes_procs, BYRE_RPC_POPUP, 0, 0);
    byre_rpc_binding_t binding = bind_to("paged", right(), 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        unsigned char *data = byre_dsm_malloc(sizes[i]);
        CHECK(data != NULL);
        all_ways(sizes[i], data);
        EXPECT(BYRE_OK, byre_dsm_free(data));
    }
    EXPECT(BYRE_OK, byre_barrier());
    EXPECT(BYRE_OK, byre_rpc_unbind(binding));
    EXPECT(BYRE_OK, byre_rpc_unexport(server));
    return finish();
}
