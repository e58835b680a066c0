/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Servers whose calls the application runs, in byre_rpc_serve. A procedure of such a server that waits in a
 * call of its own serves meanwhile, on the same thread: else a call that comes back to it would wait for ever
 * (calls.h, invariant 4).
 */
#include "calls.h"

#include "progress.h"

int byre__rpc_polled_submit(byre__rpc_job_t *job)
{
    pthread_mutex_lock(&byre__rpc_serving);
    bool added = byre__rpc_queue_add(job->server, job, 0);
    pthread_mutex_unlock(&byre__rpc_serving);
    return added ? BYRE_OK : BYRE_EAGAIN;
}

bool byre__rpc_polled_one(byre_rpc_server_t server)
{
    pthread_mutex_lock(&byre__rpc_serving);
    byre__rpc_job_t *job = byre__rpc_queue_take(server);
    if (job != NULL) atomic_fetch_add(&server->running, 1);
    pthread_mutex_unlock(&byre__rpc_serving);
    if (job == NULL) return false;
    byre__rpc_job_run(job, false);
    byre__rpc_server_ran(server);
    return true;
}

static bool has_calls(void *arg)
{
    byre_rpc_server_t server = arg;
    return atomic_load_explicit(&server->waiting, memory_order_acquire) > 0 ||
           atomic_load_explicit(&server->id, memory_order_acquire) == 0;
}

int byre_rpc_serve(byre_rpc_server_t server, unsigned most, int timeout_ms)
{
    int error = byre__rpc_check();
    if (error != BYRE_OK) return error;
    if (!byre__rpc_server_is_open(server) || server->attr.serving != BYRE_RPC_POLLED)
        return BYRE_EINVAL;
    uint64_t deadline = timeout_ms > 0 ? byre__now_ns() + (uint64_t)timeout_ms * 1000000u : 0;
    int count = 0;
    while (most == 0 || (unsigned)count < most) {
        if (byre__rpc_polled_one(server)) {
            count++;
            continue;
        }
        if (count > 0 || timeout_ms == 0 || atomic_load(&server->id) == 0) break;
        if (!byre__wait_until(has_calls, server, deadline)) break;
    }
    return count;
}
