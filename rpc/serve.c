/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call at its server, from arrival to reply.
 *
 *   CALL arrives --filter--> duplicate: dropped, or answered with the kept reply
 *      |--no such server, no such procedure, queue full: refused, and has not run
 *      |--served on the engine: run at once, in the handler
 *      `--else a job: waits for a thread of the pool (pool.c), or for byre_rpc_serve (polled.c)
 */
#include "calls.h"

#include "counters.h"
#include "detector.h"
#include "log.h"
#include "progress.h"
#include "recycle.h"
#include <stdlib.h>
#include <string.h>

enum { FRAME = 1024, JOBS = 64 };

static void *create_job(void)
{
    return malloc(sizeof(byre__rpc_job_t));
}
static byre__recycler_t jobs = BYRE__RECYCLER(JOBS, 4 * JOBS, create_job, free);
static _Thread_local byre__recycled_t own_jobs;

static void put_job(byre__rpc_job_t *job)
{
    if (job->args != job->small && job->args != job->bulk) free(job->args);
    free(job->bulk);
    byre__recycle_put(&jobs, &own_jobs, job);
}

/* ---- running a procedure ------------------------------------------------------------------------------------ */

struct served { /* a call as the thread that runs it sees it */
    byre_rpc_server_t server;
    const unsigned char *args;
    size_t bytes;
    void *bulk; /* malloc's, or NULL: the arguments, or the array that travels apart */
    size_t bulk_bytes;
    uint64_t call;
    int client;
    uint32_t proc;
    bool apart, pooled;
};

static const byre_rpc_proc_t *proc_of(const struct served *served)
{
    const byre__rpc_look_t *look = &served->server->looks[served->proc];
    return served->apart ? &look->rest : &served->server->interface->procs[served->proc];
}

/* Arguments into the frame, and into the scope's memory. */
static int read_args(struct served *served, byre__rpc_scope_t *scope, void *frame,
                     byre__rpc_graph_t **graph_out)
{
    const byre__rpc_look_t *look = &served->server->looks[served->proc];
    int error = byre__rpc_unpack_call(proc_of(served), served->args, served->bytes, NULL, frame,
                                      &scope->arena, graph_out);
    if (error != BYRE_OK || !served->apart) return error;
    void *none;
    size_t bytes = byre__rpc_bulk_of(look, frame, &none);
    if (look->bulk->direct & BYRE_RPC_IN) {
        if (bytes == 0 || bytes != served->bulk_bytes) return BYRE_EPROTO;
    } else {
        if (bytes == 0 || served->bulk != NULL) return BYRE_EPROTO;
        served->bulk = calloc(1, bytes);
        served->bulk_bytes = bytes;
        if (served->bulk == NULL) return BYRE_ENOMEM;
    }
    memcpy((char *)frame + look->bulk->offset, &served->bulk, sizeof served->bulk);
    return BYRE_OK;
}

/* The procedure, and its results behind what ended with it. */
static int invoke_and_pack(const struct served *served, byre__rpc_scope_t *scope, void *frame,
                           byre__rpc_graph_t *graph, byre__rpc_bytes_t *bytes)
{
    const byre_rpc_proc_t *proc = &served->server->interface->procs[served->proc];
    byre__rpc_wire_reply_t *reply = (byre__rpc_wire_reply_t *)bytes->data;
    if (scope->held != NULL) byre__rpc_contexts_before(scope->held, proc, frame);
    byre__count(rpc_served);
    proc->invoke(served->server->procs, frame);
    reply->flags |= BYRE__RPC_RAN;
    if (scope->held != NULL) {
        uint64_t serials[BYRE__RPC_HELD];
        reply->closed = (uint16_t)byre__rpc_contexts_after(scope->held, proc, frame, serials);
        scope->held->ran = true;
        memcpy(bytes->data + bytes->used, serials, reply->closed * sizeof serials[0]);
        bytes->used += reply->closed * sizeof serials[0];
    }
    if (proc->flags & BYRE_RPC_P_MAYBE) return BYRE_OK;
    size_t head = bytes->used;
    int error = byre__rpc_pack_reply(proc_of(served), frame, false, graph, bytes);
    if (error != BYRE_OK) bytes->used = head;
    return error;
}

/* Reads the arguments, runs, writes the reply. calls.h, invariant 2. */
static int run_in_frame(struct served *served, byre__rpc_scope_t *scope, void *frame,
                        byre__rpc_bytes_t *bytes)
{
    byre__rpc_graph_t *graph = NULL;
    byre__rpc_held_t held;
    if (served->server->looks[served->proc].contexts) byre__rpc_contexts_serving(scope, &held);
    int error = read_args(served, scope, frame, &graph);
    if (error == BYRE_OK)
        error = invoke_and_pack(served, scope, frame, graph, bytes);
    else
        byre__info("a call of %s from rank %d cannot be read: %s", proc_of(served)->name,
                   served->client, byre_error_name(error));
    if (scope->held != NULL) byre__rpc_contexts_served(scope, error == BYRE_OK);
    ((byre__rpc_wire_reply_t *)bytes->data)->error = error; /* the bytes may have moved */
    byre__rpc_graph_free(graph);
    return error;
}

static void answer(struct served *served, byre__rpc_bytes_t *bytes, int error)
{
    const byre__rpc_look_t *look = &served->server->looks[served->proc];
    uint32_t flags = served->server->interface->procs[served->proc].flags;
    void *back = NULL; /* the array that goes back */
    if (flags & BYRE_RPC_P_MAYBE) {
        byre__rpc_bytes_free(bytes);
        byre__rpc_filter_end(served->client, served->call);
        return;
    }
    if (error == BYRE_OK && served->apart && (look->bulk->direct & BYRE_RPC_OUT)) {
        ((byre__rpc_wire_reply_t *)bytes->data)->flags |= BYRE__RPC_APART;
        back = served->bulk;
        served->bulk = NULL;
    }
    byre__rpc_answer(served->client, served->call, bytes, back, served->bulk_bytes,
                     !(flags & BYRE_RPC_P_IDEMPOTENT));
}

/* Takes served->bulk over. */
static void run(struct served *served)
{
    _Alignas(16) unsigned char room[BYRE_AM_INLINE], on_stack[FRAME];
    size_t frame_bytes = served->server->interface->procs[served->proc].frame_bytes;
    byre__rpc_scope_t scope = { .outer = byre__rpc_scope,
                                .server = served->server,
                                .client = served->client,
                                .pooled = served->pooled };
    byre__rpc_bytes_t bytes = { room, sizeof(byre__rpc_wire_reply_t), sizeof room, true };
    memcpy(room, &(byre__rpc_wire_reply_t){ .call = served->call }, sizeof(byre__rpc_wire_reply_t));
    void *frame = frame_bytes <= FRAME ? on_stack : malloc(frame_bytes);
    if (frame == NULL) {
        byre__rpc_answer_error(served->client, served->call, BYRE_ENOMEM, false);
    } else {
        byre__rpc_scope = &scope;
        int error = run_in_frame(served, &scope, frame, &bytes);
        byre__rpc_scope = scope.outer;
        answer(served, &bytes, error);
        if (scope.arena != NULL) byre__rpc_arena_free(scope.arena);
        if (frame != on_stack) free(frame);
    }
    free(served->bulk);
}

void byre__rpc_job_run(byre__rpc_job_t *job, bool pooled)
{
    struct served served = { .server = job->server,
                             .args = job->args,
                             .bytes = job->bytes,
                             .bulk = job->bulk,
                             .bulk_bytes = job->bulk_bytes,
                             .apart = job->apart,
                             .call = job->call,
                             .client = job->client,
                             .proc = job->proc,
                             .pooled = pooled };
    if (!byre__peer_absent(job->client)) {
        if (job->args == job->bulk) job->args = job->small;
        job->bulk = NULL;
        run(&served);
    }
    put_job(job);
}

void byre__rpc_job_refuse(byre__rpc_job_t *job, int error)
{
    byre__rpc_answer_error(job->client, job->call, error, false);
    put_job(job);
}

void byre__rpc_job_drop(byre__rpc_job_t *job)
{
    byre__rpc_filter_end(job->client, job->call);
    put_job(job);
}

/* ---- arrival ---------------------------------------------------------------------------------------------- */

static void *place(const byre_am_t *am, void *arg)
{
    (void)arg;
    return malloc(am->bulk_bytes);
}

static byre__rpc_job_t *make_job(const struct served *served)
{
    byre__rpc_job_t *job = byre__recycle_get(&jobs, &own_jobs);
    if (job == NULL) return NULL;
    job->server = served->server;
    job->call = served->call;
    job->client = served->client;
    job->proc = served->proc;
    job->bulk = served->bulk;
    job->bulk_bytes = served->bulk_bytes;
    job->apart = served->apart;
    job->bytes = served->bytes;
    job->args = job->small;
    if (served->args == served->bulk)
        job->args = served->bulk;
    else if (served->bytes > sizeof job->small)
        job->args = malloc(served->bytes);
    if (job->args == NULL && served->bytes > 0) {
        job->args = job->small;
        job->bulk = NULL; /* the caller's */
        put_job(job);
        return NULL;
    }
    if (job->args != served->args && served->bytes > 0)
        memcpy(job->args, served->args, served->bytes);
    return job;
}

/* Hand it to somebody. BYRE_OK, or why it is refused. */
static int hand_over(const struct served *served)
{
    byre__rpc_job_t *job = make_job(served);
    if (job == NULL) return BYRE_ENOMEM;
    int error = served->server->attr.serving == BYRE_RPC_POPUP ? byre__rpc_pool_submit(job)
                                                               : byre__rpc_polled_submit(job);
    if (error == BYRE_OK) return BYRE_OK;
    if (job->args == job->bulk) job->args = job->small;
    job->bulk = NULL; /* the caller's */
    put_job(job);
    return error;
}

/* BYRE_OK: whoever runs it has it and its payload, or it has run. */
static int accept(struct served *served)
{
    if (served->server == NULL) return BYRE_ENOTFOUND;
    if (served->proc >= served->server->interface->proc_count) return BYRE_EPROTO;
    if (served->apart && served->server->looks[served->proc].bulk == NULL) return BYRE_EPROTO;
    if (served->server->attr.serving != BYRE_RPC_ENGINE) return hand_over(served);
    run(served);
    return BYRE_OK;
}

static bool may_run_again(const struct served *served)
{
    return served->server != NULL && served->proc < served->server->interface->proc_count &&
           (served->server->interface->procs[served->proc].flags & BYRE_RPC_P_IDEMPOTENT);
}

static void refuse(const struct served *served, int error, bool one_way)
{
    if (one_way)
        byre__rpc_filter_end(served->client, served->call);
    else
        byre__rpc_answer_error(served->client, served->call, error, false);
}

static void on_call(const byre_am_t *am, void *arg)
{
    byre__rpc_wire_call_t call;
    (void)arg;
    if (am->bytes < sizeof call) return;
    memcpy(&call, am->data, sizeof call);
    bool bulk = am->bulk_bytes > 0, apart = call.flags & BYRE__RPC_APART, inside = bulk && !apart;
    struct served served = { .server = byre__rpc_server_find(call.server),
                             .args =
                                 inside ? am->bulk : (const unsigned char *)am->data + sizeof call,
                             .bytes = inside ? am->bulk_bytes : am->bytes - sizeof call,
                             .bulk = am->bulk,
                             .bulk_bytes = am->bulk_bytes,
                             .apart = apart,
                             .call = call.call,
                             .client = am->source,
                             .proc = call.proc };
    byre__rpc_verdict_t verdict = byre__rpc_filter(am->source, call.call, may_run_again(&served));
    if (verdict == BYRE__RPC_FRESH) {
        int error = bulk && am->bulk == NULL ? BYRE_ENOMEM : accept(&served);
        if (error == BYRE_OK) return;
        byre__count(rpc_refused);
        refuse(&served, error, call.flags & BYRE__RPC_ONE_WAY);
    } else {
        byre__count(rpc_duplicates);
    }
    free(am->bulk);
}

/* The client has given up: a call that still waits for a thread need not run. */
static void on_given_up(const byre_am_t *am, void *arg)
{
    byre__rpc_wire_call_t call;
    (void)arg;
    if (am->bytes != sizeof call) return;
    memcpy(&call, am->data, sizeof call);
    byre_rpc_server_t server = byre__rpc_server_find(call.server);
    if (server == NULL || server->attr.serving == BYRE_RPC_ENGINE) return;
    byre__rpc_job_t *job = byre__rpc_queue_remove(server, am->source, call.call);
    if (job != NULL) byre__rpc_job_drop(job);
}

int byre__rpc_serve_start(void)
{
    int error = byre__am_register(BYRE__AM_RPC_CALL, on_call, place, NULL);
    if (error == BYRE_OK) error = byre__am_register(BYRE__AM_RPC_GIVEN_UP, on_given_up, NULL, NULL);
    return error;
}

void byre__rpc_serve_stop(void)
{
    byre__recycle_fini(&jobs, &own_jobs);
}
