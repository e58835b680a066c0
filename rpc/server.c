/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Servers: interfaces that this rank exports.
 *
 *   FREE --export--> OPEN --names_tell(gone): server_close on the engine--> CLOSING --no call runs--> FREE
 *
 * A server's number holds its place in the table and the place's generation, so a call to one that was taken
 * back finds nobody. Places are used again, and freed at the end of the job only: the engine may look at one
 * at any time.
 */
#include "calls.h"

#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum { SERVERS = 4096, DEFAULT_THREADS = 16, DEFAULT_QUEUE = 1024 };

static struct {
    pthread_mutex_t lock; /* guards count and who is free */
    byre_rpc_server_t _Atomic places[SERVERS];
    uint32_t generations[SERVERS];
    uint32_t count;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

byre_rpc_server_t byre__rpc_server_find(uint32_t id)
{
    byre_rpc_server_t server =
        atomic_load_explicit(&table.places[id % SERVERS], memory_order_acquire);
    bool open =
        server != NULL && id != 0 && atomic_load_explicit(&server->id, memory_order_acquire) == id;
    return open ? server : NULL;
}

bool byre__rpc_server_is_open(byre_rpc_server_t server)
{
    bool open = false;
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < table.count && !open; i++)
        open = server != NULL && table.places[i] == server && server->interface != NULL &&
               atomic_load(&server->id) != 0;
    pthread_mutex_unlock(&table.lock);
    return open;
}

/* ---- places ----------------------------------------------------------------------------------------------- */

static byre_rpc_server_t take_place(const byre_rpc_interface_t *interface)
{
    byre_rpc_server_t server = NULL;
    pthread_mutex_lock(&table.lock);
    uint32_t i = 0;
    while (i < table.count && table.places[i]->interface != NULL) i++;
    if (i == table.count && i < SERVERS) {
        server = calloc(1, sizeof *server);
        if (server != NULL) {
            server->index = i;
            atomic_store(&table.places[i], server);
            table.count++;
        }
    } else if (i < SERVERS) {
        server = table.places[i];
    }
    if (server != NULL) {
        server->interface = interface;
        server->closing = false;
        uint32_t generation = ++table.generations[i];
        server->entry.server = generation * SERVERS + i;
        if (server->entry.server == 0) server->entry.server = SERVERS + i;
    }
    pthread_mutex_unlock(&table.lock);
    return server;
}

static void give_place(byre_rpc_server_t server)
{
    byre__rpc_looks_free(server->looks, server->interface);
    server->looks = NULL;
    pthread_mutex_lock(&table.lock);
    server->interface = NULL;
    pthread_mutex_unlock(&table.lock);
}

/* ---- export --------------------------------------------------------------------------------------------------- */

static int check_export(const byre_rpc_interface_t *interface, const void *procs, const char *name,
                        const byre_rpc_export_attr_t *attr, byre_rpc_server_t *server_out)
{
    if (!byre__rpc_interface_is_valid(interface) || procs == NULL || server_out == NULL)
        return BYRE_EINVAL;
    if (name == NULL || name[0] == 0 || strlen(name) > BYRE__RPC_NAME_MAX) return BYRE_EINVAL;
    if (attr != NULL && (unsigned)attr->serving > BYRE_RPC_POLLED) return BYRE_EINVAL;
    for (uint32_t i = 0; i < interface->proc_count; i++)
        if (interface->procs[i].invoke == NULL) return BYRE_EINVAL;
    return BYRE_OK;
}

static void describe(byre_rpc_server_t server, const char *name, uint64_t shared)
{
    const byre_rpc_interface_t *interface = server->interface;
    byre__rpc_entry_t *entry = &server->entry;
    memset(entry->name, 0, sizeof entry->name);
    memcpy(entry->name, name, strlen(name));
    entry->interface = byre__rpc_hash_text(interface->name);
    entry->hash = interface->hash;
    entry->shared = shared;
    entry->major = interface->major;
    entry->minor = interface->minor;
    entry->rank = byre__nodes.rank;
}

int byre_rpc_export(const byre_rpc_interface_t *interface, const void *procs, const char *name,
                    const byre_rpc_export_attr_t *attr, byre_rpc_server_t *server_out)
{
    uint64_t shared = 0;
    if (name == NULL && interface != NULL) name = interface->name;
    int error = byre__rpc_check();
    if (error == BYRE_OK) error = check_export(interface, procs, name, attr, server_out);
    if (error == BYRE_OK && interface->shared_count > 0)
        error = byre__rpc_shared_make(interface, &shared);
    if (error != BYRE_OK) return error;
    byre_rpc_server_t server = take_place(interface);
    if (server == NULL) return BYRE_ENOMEM;
    server->procs = procs;
    server->attr = attr != NULL ? *attr : (byre_rpc_export_attr_t){ .serving = BYRE_RPC_POPUP };
    if (server->attr.threads == 0) server->attr.threads = DEFAULT_THREADS;
    if (server->attr.queue == 0) server->attr.queue = DEFAULT_QUEUE;
    server->first = NULL;
    server->end = &server->first;
    describe(server, name, shared);
    server->looks = byre__rpc_inspect(interface);
    error = BYRE_ENOMEM;
    if (server->looks == NULL) goto undo_place;
    atomic_store(&server->id, server->entry.server);
    error = byre__rpc_names_tell(&server->entry, false);
    if (error != BYRE_OK) goto undo_place;
    *server_out = server;
    return BYRE_OK;
undo_place:
    atomic_store(&server->id, 0);
    give_place(server);
    return error;
}

/* ---- unexport --------------------------------------------------------------------------------------------------- */

void byre__rpc_server_close(uint32_t id)
{
    byre_rpc_server_t server = byre__rpc_server_find(id);
    if (server != NULL) atomic_store(&server->id, 0);
}

static bool is_quiet(void *arg)
{
    return atomic_load_explicit(&((byre_rpc_server_t)arg)->running, memory_order_acquire) == 0;
}

/* A call of a server is over, on a thread that is not the pool's. */
void byre__rpc_server_ran(byre_rpc_server_t server)
{
    if (atomic_fetch_sub(&server->running, 1) == 1 && atomic_load(&server->id) == 0)
        byre__progress_kick();
}

static void refuse_waiting(byre_rpc_server_t server)
{
    for (;;) {
        pthread_mutex_lock(&byre__rpc_serving);
        byre__rpc_job_t *job = byre__rpc_queue_take(server);
        pthread_mutex_unlock(&byre__rpc_serving);
        if (job == NULL) return;
        byre__rpc_job_refuse(job, BYRE_ENOTFOUND);
    }
}

/* It is this thread's to close. */
static int close_server(byre_rpc_server_t server)
{
    int error = byre__rpc_names_tell(&server->entry, true);
    if (error != BYRE_OK) return error;
    refuse_waiting(server);
    byre__progress_kick(); /* whoever waits in byre_rpc_serve */
    (void)byre__wait_until(is_quiet, server, 0);
    pthread_mutex_lock(&byre__rpc_serving); /* the last thread may still look for its next call */
    pthread_mutex_unlock(&byre__rpc_serving);
    byre__rpc_contexts_server_gone(server);
    give_place(server);
    return BYRE_OK;
}

/* Only one thread may close a server that there is. */
static bool claim(byre_rpc_server_t server, uint32_t at)
{
    bool mine = false;
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = at; i < table.count && !mine; i++) {
        if (table.places[i] != server) continue;
        mine = server->interface != NULL && !server->closing;
        if (mine) server->closing = true;
    }
    pthread_mutex_unlock(&table.lock);
    return mine;
}

int byre_rpc_unexport(byre_rpc_server_t server)
{
    int error = byre__rpc_check();
    if (error != BYRE_OK) return error;
    if (server == NULL) return BYRE_EINVAL;
    for (byre__rpc_scope_t *scope = byre__rpc_scope; scope != NULL; scope = scope->outer)
        if (scope->server == server) return BYRE_ECONTEXT;
    if (!claim(server, 0)) return BYRE_EINVAL;
    error = close_server(server);
    if (error != BYRE_OK) server->closing = false;
    return error;
}

void byre__rpc_servers_finish(void)
{
    for (uint32_t i = 0; i < table.count; i++)
        if (claim(table.places[i], i)) (void)close_server(table.places[i]);
}

void byre__rpc_servers_stop(void)
{
    for (uint32_t i = 0; i < table.count; i++) {
        byre_rpc_server_t server = table.places[i];
        if (server->interface != NULL) byre__rpc_looks_free(server->looks, server->interface);
        free(server);
        atomic_store(&table.places[i], NULL);
    }
    table.count = 0;
}
