/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bindings: which server a client's calls go to. The choice is made from this rank's table of names, and made
 * again when that has changed: so a call costs one comparison.
 *
 * The binding that an interface's stubs use is the thread's (byre_rpc_use), else the interface's first, which
 * stands in the interface's own place for it.
 */
#include "calls.h"

#include "detector.h"
#include "node.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t
        lock; /* guards the list, oldest first. Before binding.lock, before names.lock */
    byre_rpc_binding_t first;
    _Atomic uint32_t unbound; /* how many were given up */
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* What byre_rpc_use has said on this thread. */
struct use {
    struct use *next;
    const byre_rpc_interface_t *interface;
    byre_rpc_binding_t binding;
};
static _Thread_local struct use *uses;
static _Thread_local uint32_t uses_unbound; /* all.unbound, when they were looked through */
static pthread_key_t uses_key;
static pthread_once_t uses_once = PTHREAD_ONCE_INIT;

/* ---- the choice ------------------------------------------------------------------------------------------ */

static bool suits(const byre_rpc_interface_t *interface, const byre__rpc_entry_t *entry)
{
    return entry->interface == byre__rpc_hash_text(interface->name) &&
           entry->major == interface->major &&
           (entry->minor > interface->minor ||
            (entry->minor == interface->minor && entry->hash == interface->hash));
}

static uint64_t word_of(const byre__rpc_entry_t *entry)
{
    return (uint64_t)(uint32_t)entry->rank << 32 | entry->server;
}

/* A rank that has just died may still stand in the table. */
static bool is_there(uint64_t word)
{
    int rank = (int)(word >> 32);
    return !byre__peer_absent(rank) && byre__rpc_names_has(rank, (uint32_t)word);
}

static int node_of(int rank)
{
    return byre__nodes.peers[rank].node;
}

/* Of `count` entries that suit. */
static const byre__rpc_entry_t *prefer(byre_rpc_binding_t binding, const byre__rpc_entry_t *entries,
                                       size_t count)
{
    int self = byre__nodes.rank;
    if (binding->attr.pick == BYRE_RPC_ROUND_ROBIN) return &entries[binding->turn++ % count];
    for (size_t i = 0; i < count; i++)
        if (entries[i].rank == self) return &entries[i];
    for (size_t i = 0; i < count; i++)
        if (node_of(entries[i].rank) == node_of(self)) return &entries[i];
    return &entries[(unsigned)self % count];
}

/* Under the lock. Leaves those that suit at the beginning. */
static size_t sift(byre_rpc_binding_t binding, byre__rpc_entry_t *entries, size_t count)
{
    size_t kept = 0;
    bool one = binding->attr.pick == BYRE_RPC_RANK && !binding->lost;
    for (size_t i = 0; i < count; i++)
        if (suits(binding->interface, &entries[i]) && !byre__peer_absent(entries[i].rank) &&
            (!one || entries[i].rank == binding->attr.rank))
            entries[kept++] = entries[i];
    return kept;
}

static int lost_error(uint64_t word)
{
    return word != 0 && byre__peer_absent((int)(word >> 32)) ? BYRE_EPEER : BYRE_ENOTFOUND;
}

/* Under the lock: set the target. BYRE_EPROTO: there are servers, but none that suits. */
static int choose(byre_rpc_binding_t binding, uint32_t version)
{
    enum { FEW = 16 };
    byre__rpc_entry_t few[FEW], *entries = few;
    uint64_t word = atomic_load(&binding->target);
    bool chosen = word != 0;
    if (chosen && binding->attr.pick != BYRE_RPC_ROUND_ROBIN) {
        if (is_there(word)) {
            atomic_store(&binding->version, version);
            return BYRE_OK;
        }
        binding->lost = true;
        if (!binding->attr.rebind) return lost_error(word);
    }
    size_t count = byre__rpc_names_find(binding->name, few, FEW);
    if (count > FEW) {
        size_t room = count;
        entries = malloc(room * sizeof *entries);
        if (entries == NULL) return BYRE_ENOMEM;
        count = byre__rpc_names_find(binding->name, entries, room);
        if (count > room) count = room;
    }
    size_t suiting = sift(binding, entries, count);
    int error = BYRE_OK;
    if (suiting > 0) {
        atomic_store(&binding->target, word_of(prefer(binding, entries, suiting)));
        atomic_store(&binding->version, version);
    } else {
        int only = binding->attr.pick == BYRE_RPC_RANK ? binding->attr.rank : -1;
        size_t misfits = 0;
        for (size_t i = 0; i < count; i++)
            misfits += !byre__peer_absent(entries[i].rank) && (only < 0 || entries[i].rank == only);
        error = chosen ? lost_error(word) : misfits > 0 ? BYRE_EPROTO : BYRE_ENOTFOUND;
    }
    if (entries != few) free(entries);
    return error;
}

int byre__rpc_binding_target(byre_rpc_binding_t binding, byre__rpc_target_t *target_out)
{
    uint32_t version = atomic_load_explicit(&byre__rpc_names_version, memory_order_acquire);
    uint64_t word = atomic_load_explicit(&binding->target, memory_order_relaxed);
    if (__builtin_expect(atomic_load_explicit(&binding->version, memory_order_acquire) != version ||
                             binding->attr.pick == BYRE_RPC_ROUND_ROBIN ||
                             byre__peer_absent((int)(word >> 32)),
                         0)) {
        pthread_mutex_lock(&binding->lock);
        int error = choose(binding, version);
        word = atomic_load(&binding->target);
        pthread_mutex_unlock(&binding->lock);
        if (error != BYRE_OK) return error;
    }
    *target_out = (byre__rpc_target_t){ (int32_t)(word >> 32), (uint32_t)word };
    return BYRE_OK;
}

int byre_rpc_rank(byre_rpc_binding_t binding)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (binding == NULL) return BYRE_EINVAL;
    pthread_mutex_lock(&binding->lock);
    uint64_t word = atomic_load(&binding->target);
    int error = is_there(word) ? BYRE_OK : choose(binding, atomic_load(&byre__rpc_names_version));
    word = atomic_load(&binding->target);
    pthread_mutex_unlock(&binding->lock);
    return error == BYRE_OK ? (int)(word >> 32) : BYRE_ENOTFOUND;
}

/* ---- bind ------------------------------------------------------------------------------------------------- */

struct patience {
    uint32_t version;
    int rank; /* whose death ends it, or -1 */
};

static bool has_news(void *arg)
{
    const struct patience *patience = arg;
    return atomic_load_explicit(&byre__rpc_names_version, memory_order_acquire) !=
               patience->version ||
           (patience->rank >= 0 && byre__peer_absent(patience->rank));
}

static int find_server(byre_rpc_binding_t binding)
{
    int wait_ms = binding->attr.wait_ms;
    uint64_t deadline = wait_ms > 0 ? byre__now_ns() + (uint64_t)wait_ms * 1000000u : 0;
    struct patience patience = { .rank = binding->attr.pick == BYRE_RPC_RANK ? binding->attr.rank
                                                                             : -1 };
    for (;;) {
        patience.version = atomic_load(&byre__rpc_names_version);
        pthread_mutex_lock(&binding->lock);
        int error = choose(binding, patience.version);
        pthread_mutex_unlock(&binding->lock);
        if (error != BYRE_ENOTFOUND || wait_ms == 0) return error;
        if (patience.rank >= 0 && byre__peer_absent(patience.rank)) return error;
        if (!byre__wait_until(has_news, &patience, deadline)) return error;
    }
}

static int place_shared(byre_rpc_binding_t binding)
{
    byre__rpc_entry_t entries[64];
    uint64_t word = atomic_load(&binding->target);
    size_t count = byre__rpc_names_find(binding->name, entries, 64);
    for (size_t i = 0; i < count && i < 64; i++)
        if (word_of(&entries[i]) == word)
            return byre__rpc_shared_place(binding->interface, entries[i].shared);
    return BYRE_ENOTFOUND;
}

static void enlist(byre_rpc_binding_t binding)
{
    void **client = binding->interface->client;
    pthread_mutex_lock(&all.lock);
    byre_rpc_binding_t *at = &all.first;
    while (*at != NULL) at = &(*at)->next;
    *at = binding;
    if (client != NULL && *client == NULL)
        __atomic_store_n(client, (void *)binding, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&all.lock);
}

static void discard(byre_rpc_binding_t binding)
{
    pthread_mutex_destroy(&binding->lock);
    byre__rpc_looks_free(binding->looks, binding->interface);
    free(binding);
}

int byre_rpc_bind(const byre_rpc_interface_t *interface, const char *name,
                  const byre_rpc_bind_attr_t *attr, byre_rpc_binding_t *binding_out)
{
    int error = byre__rpc_check();
    if (error != BYRE_OK) return error;
    if (!byre__rpc_interface_is_valid(interface) || binding_out == NULL) return BYRE_EINVAL;
    if (name == NULL) name = interface->name;
    if (name[0] == 0 || strlen(name) > BYRE__RPC_NAME_MAX) return BYRE_EINVAL;
    if (attr != NULL && (unsigned)attr->pick > BYRE_RPC_RANK) return BYRE_EINVAL;
    if (attr != NULL && attr->pick == BYRE_RPC_RANK &&
        (attr->rank < 0 || attr->rank >= byre__nodes.size))
        return BYRE_ERANK;
    byre_rpc_binding_t binding = calloc(1, sizeof *binding);
    if (binding == NULL) return BYRE_ENOMEM;
    pthread_mutex_init(&binding->lock, NULL);
    binding->interface = interface;
    if (attr != NULL) binding->attr = *attr;
    memcpy(binding->name, name, strlen(name) + 1);
    binding->looks = byre__rpc_inspect(interface);
    error = binding->looks == NULL ? BYRE_ENOMEM : find_server(binding);
    if (error == BYRE_OK && interface->shared_count > 0) error = place_shared(binding);
    if (error != BYRE_OK) {
        discard(binding);
        return error;
    }
    enlist(binding);
    *binding_out = binding;
    return BYRE_OK;
}

/* With the lock. */
static byre_rpc_binding_t first_of(const byre_rpc_interface_t *interface)
{
    byre_rpc_binding_t binding = all.first;
    while (binding != NULL && binding->interface != interface) binding = binding->next;
    return binding;
}

int byre_rpc_unbind(byre_rpc_binding_t binding)
{
    if (!byre__is_up()) return BYRE_ESTATE;
    if (binding == NULL) return BYRE_OK;
    if (atomic_load(&binding->calls) > 0) return BYRE_EBUSY;
    void **client = binding->interface->client;
    pthread_mutex_lock(&all.lock);
    byre_rpc_binding_t *at = &all.first;
    while (*at != NULL && *at != binding) at = &(*at)->next;
    if (*at != NULL) *at = binding->next;
    atomic_fetch_add(&all.unbound, 1);
    if (client != NULL && *client == binding)
        __atomic_store_n(client, (void *)first_of(binding->interface), __ATOMIC_RELEASE);
    pthread_mutex_unlock(&all.lock);
    discard(binding);
    return BYRE_OK;
}

/* ---- which binding a thread uses ------------------------------------------------------------------------------- */

static void end_uses(void *first)
{
    for (struct use *use = first; use != NULL;) {
        struct use *next = use->next;
        free(use);
        use = next;
    }
}

static void make_key(void)
{
    (void)pthread_key_create(&uses_key, end_uses);
}

/* A binding that was given up may still be in the list of a thread: it is not looked at. */
static void check_uses(void)
{
    uint32_t unbound = atomic_load(&all.unbound);
    if (unbound == uses_unbound) return;
    pthread_mutex_lock(&all.lock);
    for (struct use **at = &uses; *at != NULL;) {
        byre_rpc_binding_t binding = all.first;
        while (binding != NULL && binding != (*at)->binding) binding = binding->next;
        struct use *use = *at;
        if (binding != NULL && binding->interface == use->interface) {
            at = &use->next;
            continue;
        }
        *at = use->next;
        free(use);
    }
    pthread_mutex_unlock(&all.lock);
    uses_unbound = unbound;
    (void)pthread_setspecific(uses_key, uses);
}

int byre_rpc_use(const byre_rpc_interface_t *interface, byre_rpc_binding_t binding)
{
    if (interface == NULL || (binding != NULL && binding->interface != interface))
        return BYRE_EINVAL;
    pthread_once(&uses_once, make_key);
    if (uses != NULL)
        check_uses();
    else
        uses_unbound = atomic_load(&all.unbound);
    struct use **at = &uses;
    while (*at != NULL && (*at)->interface != interface) at = &(*at)->next;
    struct use *use = *at;
    if (binding == NULL) {
        if (use != NULL) *at = use->next;
        free(use);
    } else if (use != NULL) {
        use->binding = binding;
    } else {
        use = malloc(sizeof *use);
        if (use == NULL) return BYRE_ENOMEM;
        *use = (struct use){ uses, interface, binding };
        uses = use;
    }
    (void)pthread_setspecific(uses_key, uses);
    return BYRE_OK;
}

byre_rpc_binding_t byre__rpc_binding_of(const byre_rpc_interface_t *interface)
{
    if (__builtin_expect(uses != NULL, 0)) {
        check_uses();
        for (struct use *use = uses; use != NULL; use = use->next)
            if (use->interface == interface) return use->binding;
    }
    if (__builtin_expect(interface->client != NULL, 1))
        return __atomic_load_n((byre_rpc_binding_t *)interface->client, __ATOMIC_ACQUIRE);
    pthread_mutex_lock(&all.lock);
    byre_rpc_binding_t binding = first_of(interface);
    pthread_mutex_unlock(&all.lock);
    return binding;
}

void byre__rpc_bindings_stop(void)
{
    while (all.first != NULL) {
        byre_rpc_binding_t binding = all.first;
        all.first = binding->next;
        if (binding->interface->client != NULL) *binding->interface->client = NULL;
        discard(binding);
    }
    atomic_fetch_add(&all.unbound, 1);
}
