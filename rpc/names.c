/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names of all servers. Every rank has the whole table, so none of them is missed when it dies: a rank
 * that exports tells all others, and goes on when the living have said that they know. Entries of a dead
 * rank are dropped by each for itself.
 *
 * Invariants
 *  1. The table changes on the engine only, under names.lock; byre__rpc_names_version after it.
 *  2. When byre__rpc_names_tell returns every rank that lives has handled the message; on this rank no
 *     handler that began before it is still running.
 */
#include "calls.h"

#include "detector.h"
#include "log.h"
#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

struct announcement { /* on the stack of the one who waits */
    struct announcement *next;
    uint64_t number;
    _Atomic unsigned char *known; /* [size] by whom */
};

struct message {
    uint64_t number;
    uint32_t gone;
    uint32_t unused;
    byre__rpc_entry_t entry;
};

static struct {
    pthread_mutex_t lock; /* a leaf */
    byre__rpc_entry_t *entries;
    size_t count, room;
    struct announcement *open;
    uint64_t numbers;
} names = { .lock = PTHREAD_MUTEX_INITIALIZER };

_Atomic uint32_t byre__rpc_names_version = 1;

uint64_t byre__rpc_hash_text(const char *text) /* FNV-1a */
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != 0; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

/* ---- the table ------------------------------------------------------------------------------------- */

static void changed(void)
{
    uint32_t version = atomic_load(&byre__rpc_names_version) + 1;
    atomic_store(&byre__rpc_names_version, version == 0 ? 1 : version);
}

static bool is(const byre__rpc_entry_t *entry, int rank, uint32_t server)
{
    return entry->rank == rank && entry->server == server;
}

/* With the lock, as the next. */
static void drop(int rank, uint32_t server, bool all)
{
    size_t kept = 0;
    for (size_t i = 0; i < names.count; i++)
        if (names.entries[i].rank != rank || (!all && !is(&names.entries[i], rank, server)))
            names.entries[kept++] = names.entries[i];
    names.count = kept;
}

static bool add(const byre__rpc_entry_t *entry)
{
    if (names.count == names.room) {
        size_t room = names.room == 0 ? 16 : 2 * names.room;
        byre__rpc_entry_t *entries = realloc(names.entries, room * sizeof *entries);
        if (entries == NULL) return false;
        names.entries = entries;
        names.room = room;
    }
    names.entries[names.count++] = *entry;
    return true;
}

size_t byre__rpc_names_find(const char *name, byre__rpc_entry_t *entries, size_t room)
{
    size_t count = 0;
    pthread_mutex_lock(&names.lock);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.entries[i].name, name) != 0) continue;
        if (count < room) entries[count] = names.entries[i];
        count++;
    }
    pthread_mutex_unlock(&names.lock);
    return count;
}

bool byre__rpc_names_has(int rank, uint32_t server)
{
    bool found = false;
    pthread_mutex_lock(&names.lock);
    for (size_t i = 0; i < names.count && !found; i++) found = is(&names.entries[i], rank, server);
    pthread_mutex_unlock(&names.lock);
    return found;
}

/* ---- messages --------------------------------------------------------------------------------------- */

static void on_name(const byre_am_t *am, void *arg)
{
    struct message message;
    (void)arg;
    if (am->bytes != sizeof message) return;
    memcpy(&message, am->data, sizeof message);
    byre__rpc_entry_t *entry = &message.entry;
    if (entry->rank != am->source) return;
    entry->name[BYRE__RPC_NAME_MAX] = 0;
    if (message.gone && entry->rank == byre__nodes.rank) byre__rpc_server_close(entry->server);
    pthread_mutex_lock(&names.lock);
    drop(entry->rank, entry->server, false);
    bool known = message.gone || add(entry);
    pthread_mutex_unlock(&names.lock);
    changed();
    if (!known)
        byre__error("no memory for the name of a server: \"%s\" is unknown here", entry->name);
    (void)byre__rpc_send(am->source, BYRE__AM_RPC_NAME_ACK, &message.number, sizeof message.number,
                         NULL, 0, NULL, NULL, BYRE__RPC_QUEUE);
}

static void on_name_ack(const byre_am_t *am, void *arg)
{
    uint64_t number;
    (void)arg;
    if (am->bytes != sizeof number) return;
    memcpy(&number, am->data, sizeof number);
    pthread_mutex_lock(&names.lock);
    for (struct announcement *open = names.open; open != NULL; open = open->next)
        if (open->number == number) atomic_store(&open->known[am->source], 1);
    pthread_mutex_unlock(&names.lock);
}

static bool all_know(void *arg)
{
    const struct announcement *announcement = arg;
    for (int r = 0; r < byre__nodes.size; r++)
        if (!atomic_load_explicit(&announcement->known[r], memory_order_acquire) &&
            !byre__peer_absent(r))
            return false;
    return true;
}

int byre__rpc_names_tell(const byre__rpc_entry_t *entry, bool gone)
{
    struct announcement self = { .known = calloc((size_t)byre__nodes.size, sizeof *self.known) };
    if (self.known == NULL) return BYRE_ENOMEM;
    pthread_mutex_lock(&names.lock);
    self.number = ++names.numbers;
    self.next = names.open;
    names.open = &self;
    pthread_mutex_unlock(&names.lock);
    struct message message = { .number = self.number, .gone = gone, .entry = *entry };
    for (int r = 0; r < byre__nodes.size; r++)
        if (byre__rpc_send(r, BYRE__AM_RPC_NAME, &message, sizeof message, NULL, 0, NULL, NULL,
                           0) == BYRE_ENOMEM) {
            byre__error("no memory to tell rank %d of a server's name", r);
            atomic_store(&self.known[r], 1);
        }
    (void)byre__wait_until(all_know, &self, 0);
    pthread_mutex_lock(&names.lock);
    struct announcement **at = &names.open;
    while (*at != &self) at = &(*at)->next;
    *at = self.next;
    pthread_mutex_unlock(&names.lock);
    free((void *)self.known);
    return BYRE_OK;
}

/* ---- start and finish --------------------------------------------------------------------------------- */

void byre__rpc_names_peer_gone(int rank)
{
    pthread_mutex_lock(&names.lock);
    drop(rank, 0, true);
    pthread_mutex_unlock(&names.lock);
    changed();
}

int byre__rpc_names_start(void)
{
    int error = byre__am_register(BYRE__AM_RPC_NAME, on_name, NULL, NULL);
    if (error == BYRE_OK) error = byre__am_register(BYRE__AM_RPC_NAME_ACK, on_name_ack, NULL, NULL);
    return error;
}

void byre__rpc_names_stop(void)
{
    free(names.entries);
    names.entries = NULL;
    names.count = names.room = 0;
}
