/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Duplicates, and the replies that answer them. The transport loses and doubles nothing; but a client whose
 * patience was shorter than the call may ask again, and at most once shall mean it whatever comes.
 *
 * For each slot of each client there is an entry, which knows the latest call of that slot (its generation).
 * The call that comes is
 *   later than that       a new one; the client has got the older one's reply, or waits for it no longer
 *   the same              a duplicate: dropped while the procedure runs, answered with the kept reply after
 *                         that; if it is [idempotent], no reply is kept and it runs again
 *   earlier               dropped: nobody waits for it
 * A reply is kept until the slot's next call; one that is large enough to travel as bulk payload until its
 * client says that it has it.
 *
 * Invariants
 *  1. `latest` and RUNNING are set on the engine only. A procedure that ends keeps its reply only if its call
 *     is still the latest of its slot.
 *  2. What MPI may read stays: a reply is freed when it has been sent and is not kept, and never when it was
 *     sent to a rank that has died meanwhile.
 */
#include "calls.h"

#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 64, CHUNKS = 1024, SLOTS = CHUNK * CHUNKS }; /* as slot.c */
enum { SMALL = 64, REUSED = 1024 };
enum state { NOTHING, RUNNING, ANSWERED, ENDED };

struct kept {
    _Atomic int users; /* the entry, and each send under way */
    size_t bytes, room;
    unsigned char *data; /* inline; malloc's */
    const void *bulk;    /* and what follows it */
    size_t bulk_bytes;
    byre__rpc_bytes_t message; /* in which bulk lies; or it lies in: */
    void *array;               /* malloc's, or NULL */
};

struct entry {
    uint64_t latest;
    enum state state;
    struct kept *kept; /* of the latest call if ANSWERED, else memory to be used again; or NULL */
};

struct client {
    pthread_mutex_t lock; /* guards the entries. A leaf */
    struct entry *_Atomic chunks[CHUNKS];
};

static struct client *_Atomic *clients; /* [size], each there from its first call on */

/* ---- kept replies -------------------------------------------------------------------------------------- */

static struct kept *new_kept(size_t room)
{
    struct kept *kept = malloc(sizeof *kept);
    if (kept == NULL) return NULL;
    *kept = (struct kept){ .users = 1, .room = room };
    kept->data = malloc(room);
    if (kept->data != NULL) return kept;
    free(kept);
    return NULL;
}

static void let_go(struct kept *kept)
{
    if (kept == NULL || atomic_fetch_sub(&kept->users, 1) > 1) return;
    free(kept->data);
    byre__rpc_bytes_free(&kept->message);
    free(kept->array);
    free(kept);
}

static void was_sent(int error, void *arg)
{
    if (error != BYRE_EPEER) let_go(arg); /* invariant 2 */
}

static void send_kept(int client, struct kept *kept)
{
    bool bulky = kept->bulk_bytes > 0;
    if (bulky) atomic_fetch_add(&kept->users, 1);
    int error = byre__rpc_send(client, BYRE__AM_RPC_REPLY, kept->data, kept->bytes, kept->bulk,
                               kept->bulk_bytes, bulky ? was_sent : NULL, kept, BYRE__RPC_QUEUE);
    if (bulky && error != BYRE_OK) atomic_fetch_sub(&kept->users, 1); /* the caller has it too */
}

/* ---- entries ---------------------------------------------------------------------------------------------- */

/* On the engine. */
static struct entry *make_entry(int rank, uint64_t call)
{
    struct client *client = atomic_load_explicit(&clients[rank], memory_order_acquire);
    uint32_t index = (uint32_t)(call % SLOTS);
    if (__builtin_expect(client == NULL, 0)) {
        client = calloc(1, sizeof *client);
        if (client == NULL) return NULL;
        pthread_mutex_init(&client->lock, NULL);
        atomic_store_explicit(&clients[rank], client, memory_order_release);
    }
    struct entry *chunk =
        atomic_load_explicit(&client->chunks[index / CHUNK], memory_order_acquire);
    if (__builtin_expect(chunk == NULL, 0)) {
        chunk = calloc(CHUNK, sizeof *chunk);
        if (chunk == NULL) return NULL;
        atomic_store_explicit(&client->chunks[index / CHUNK], chunk, memory_order_release);
    }
    return &chunk[index % CHUNK];
}

/* The entry of a call that was filtered. */
static struct entry *entry_of(struct client *client, uint64_t call)
{
    uint32_t index = (uint32_t)(call % SLOTS);
    return &atomic_load_explicit(&client->chunks[index / CHUNK],
                                 memory_order_acquire)[index % CHUNK];
}

static bool is_latest(const struct entry *entry, uint64_t call)
{
    return entry->latest == call / SLOTS;
}

/* With the lock. What is large is handed out, to be let go. */
static struct kept *forget_reply(struct entry *entry)
{
    struct kept *kept = entry->kept;
    if (kept == NULL) return NULL;
    if (kept->array == NULL && kept->message.data == NULL && kept->room <= REUSED &&
        atomic_load(&kept->users) == 1)
        return NULL;
    entry->kept = NULL;
    return kept;
}

byre__rpc_verdict_t byre__rpc_filter(int rank, uint64_t call, bool again)
{
    struct entry *entry = make_entry(rank, call);
    struct kept *old = NULL, *answer = NULL;
    if (entry == NULL) return BYRE__RPC_NO_ROOM;
    struct client *client = atomic_load_explicit(&clients[rank], memory_order_relaxed);
    pthread_mutex_lock(&client->lock);
    byre__rpc_verdict_t verdict = BYRE__RPC_DROP;
    if (call / SLOTS > entry->latest) {
        old = forget_reply(entry);
        entry->latest = call / SLOTS;
        entry->state = RUNNING;
        verdict = BYRE__RPC_FRESH;
    } else if (is_latest(entry, call) && entry->state == ANSWERED) {
        answer = entry->kept;
        atomic_fetch_add(&answer->users, 1);
    } else if (is_latest(entry, call) && entry->state == ENDED && again) {
        entry->state = RUNNING;
        verdict = BYRE__RPC_FRESH;
    }
    pthread_mutex_unlock(&client->lock);
    let_go(old);
    if (answer != NULL) send_kept(rank, answer);
    let_go(answer);
    return verdict;
}

void byre__rpc_filter_end(int rank, uint64_t call)
{
    struct client *client = atomic_load_explicit(&clients[rank], memory_order_acquire);
    struct entry *entry = entry_of(client, call);
    pthread_mutex_lock(&client->lock);
    if (is_latest(entry, call)) entry->state = ENDED;
    pthread_mutex_unlock(&client->lock);
}

/* ---- answering --------------------------------------------------------------------------------------------- */

/* With the lock: a copy of a small reply, in the entry's own memory if it does. False: no memory, so that it
 * is not kept and duplicates are dropped. */
static bool keep_copy(struct entry *entry, const byre__rpc_bytes_t *bytes)
{
    struct kept *kept = entry->kept;
    if (kept != NULL && (kept->room < bytes->used || atomic_load(&kept->users) > 1)) {
        let_go(kept);
        kept = NULL;
    }
    if (kept == NULL) kept = new_kept(bytes->used < SMALL ? SMALL : bytes->used);
    entry->kept = kept;
    if (kept == NULL) return false;
    memcpy(kept->data, bytes->data, bytes->used);
    kept->bytes = bytes->used;
    return true;
}

/* The client waits for the reply, so it leaves first. A duplicate that comes before it is kept is one that comes
 * while the procedure runs: dropped. */
static void answer_inline(struct client *client, int rank, uint64_t call, byre__rpc_bytes_t *bytes,
                          bool keep)
{
    struct entry *entry = entry_of(client, call);
    (void)byre__rpc_send(rank, BYRE__AM_RPC_REPLY, bytes->data, bytes->used, NULL, 0, NULL, NULL,
                         BYRE__RPC_QUEUE);
    pthread_mutex_lock(&client->lock);
    if (is_latest(entry, call)) entry->state = keep && keep_copy(entry, bytes) ? ANSWERED : ENDED;
    pthread_mutex_unlock(&client->lock);
    byre__rpc_bytes_free(bytes);
}

/* What is too long goes as bulk payload, but for its head, unless the payload is an array that travels apart. */
static struct kept *make_kept(byre__rpc_bytes_t *bytes, void *bulk, size_t bulk_bytes)
{
    size_t head = bulk != NULL ? bytes->used : sizeof(byre__rpc_wire_reply_t);
    struct kept *kept = new_kept(head);
    if (kept == NULL) return NULL;
    memcpy(kept->data, bytes->data, head);
    kept->bytes = head;
    kept->bulk = bulk != NULL ? bulk : bytes->data + head;
    kept->bulk_bytes = bulk != NULL ? bulk_bytes : bytes->used - head;
    kept->array = bulk;
    if (bulk != NULL) {
        byre__rpc_bytes_free(bytes);
    } else {
        kept->message = *bytes;
        *bytes = (byre__rpc_bytes_t){ 0 };
    }
    return kept;
}

static void answer_bulk(struct client *client, int rank, uint64_t call, struct kept *kept,
                        bool keep)
{
    struct entry *entry = entry_of(client, call);
    struct kept *old = NULL;
    if (keep) ((byre__rpc_wire_reply_t *)kept->data)->flags |= BYRE__RPC_KEPT;
    pthread_mutex_lock(&client->lock);
    if (is_latest(entry, call)) {
        entry->state = keep ? ANSWERED : ENDED;
        if (keep) {
            old = entry->kept;
            entry->kept = kept;
            atomic_fetch_add(&kept->users, 1);
        }
    }
    pthread_mutex_unlock(&client->lock);
    let_go(old);
    send_kept(rank, kept);
    let_go(kept);
}

void byre__rpc_answer(int rank, uint64_t call, byre__rpc_bytes_t *bytes, void *bulk,
                      size_t bulk_bytes, bool keep)
{
    struct client *client = atomic_load_explicit(&clients[rank], memory_order_acquire);
    if (bulk == NULL && bytes->used <= BYRE_AM_INLINE) {
        answer_inline(client, rank, call, bytes, keep);
        return;
    }
    struct kept *kept = make_kept(bytes, bulk, bulk_bytes);
    if (kept != NULL) {
        answer_bulk(client, rank, call, kept, keep);
        return;
    }
    byre__rpc_bytes_free(bytes);
    free(bulk);
    byre__rpc_answer_error(rank, call, BYRE_ENOMEM, true);
}

void byre__rpc_answer_error(int rank, uint64_t call, int error, bool ran)
{
    byre__rpc_wire_reply_t reply = { .call = call,
                                     .error = error,
                                     .flags = ran ? BYRE__RPC_RAN : 0 };
    byre__rpc_bytes_t bytes = { (unsigned char *)&reply, sizeof reply, sizeof reply, true };
    byre__rpc_answer(rank, call, &bytes, NULL, 0, true);
}

void byre__rpc_on_taken(const byre_am_t *am, void *arg)
{
    uint64_t call;
    struct client *client = atomic_load_explicit(&clients[am->source], memory_order_acquire);
    (void)arg;
    if (am->bytes != sizeof call || client == NULL) return;
    memcpy(&call, am->data, sizeof call);
    struct entry *entry = make_entry(am->source, call);
    if (entry == NULL) return;
    struct kept *kept = NULL;
    pthread_mutex_lock(&client->lock);
    if (is_latest(entry, call) && entry->state == ANSWERED) {
        kept = forget_reply(entry);
        entry->state = NOTHING;
    }
    pthread_mutex_unlock(&client->lock);
    let_go(kept);
}

/* ---- start, finish, clients that go ---------------------------------------------------------------------------- */

static void forget_client(struct client *client)
{
    pthread_mutex_lock(&client->lock);
    for (int i = 0; i < CHUNKS; i++) {
        struct entry *chunk = client->chunks[i];
        for (int k = 0; chunk != NULL && k < CHUNK; k++) {
            let_go(chunk[k].kept);
            chunk[k].kept = NULL;
            if (chunk[k].state == ANSWERED) chunk[k].state = NOTHING;
        }
    }
    pthread_mutex_unlock(&client->lock);
}

void byre__rpc_filter_peer_gone(int rank)
{
    struct client *client = atomic_load(&clients[rank]);
    if (client != NULL) forget_client(client);
}

int byre__rpc_filter_start(void)
{
    clients = calloc((size_t)byre__nodes.size, sizeof *clients);
    if (clients == NULL) return BYRE_ENOMEM;
    return byre__am_register(BYRE__AM_RPC_TAKEN, byre__rpc_on_taken, NULL, NULL);
}

void byre__rpc_filter_stop(void)
{
    for (int r = 0; clients != NULL && r < byre__nodes.size; r++) {
        struct client *client = clients[r];
        if (client == NULL) continue;
        forget_client(client);
        for (int i = 0; i < CHUNKS; i++) free(client->chunks[i]);
        pthread_mutex_destroy(&client->lock);
        free(client);
    }
    free((void *)clients);
    clients = NULL;
}
