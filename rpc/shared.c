/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Variables that an interface shares among all its clients and servers. rpc has no shared memory of its own;
 * whoever has some lends it (lent.h).
 *
 * All variables of an interface lie in one block, which the lowest rank that lives makes when the first server
 * is exported: so two servers that are exported at once get the same. Clients learn the address with the
 * server's name. The block stays until the end of the job; it is lost with the rank that made it, and a server
 * that is exported after that gets a new one.
 */
#include "calls.h"

#include "detector.h"
#include "lent.h"
#include "log.h"
#include "node.h"
#include "popup.h"
#include "progress.h"
#include <stdlib.h>
#include <string.h>

enum { LINE = 64 };

struct block { /* made by this rank */
    struct block *next;
    uint64_t interface, bytes;
    void *memory;
};

struct question { /* travels */
    uint64_t interface, bytes, number;
};
struct answer { /* travels */
    uint64_t number, address;
    int64_t error;
};

struct asker { /* on the stack of the one who waits */
    struct asker *next;
    uint64_t number;
    uint64_t address;
    int rank, error;
    _Atomic bool answered;
};

struct job {
    byre__popup_job_t job;
    int rank;
    struct question question;
};

static pthread_mutex_t making =
    PTHREAD_MUTEX_INITIALIZER; /* held while a block is made: pop-up threads */
static struct block *blocks;   /* guarded by it */
static struct {
    pthread_mutex_t lock; /* guards what follows. A leaf */
    struct asker *askers;
    uint64_t numbers;
} asking = { .lock = PTHREAD_MUTEX_INITIALIZER };

static uint64_t total_bytes(const byre_rpc_interface_t *interface)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < interface->shared_count; i++)
        bytes += (interface->shared[i].bytes + LINE - 1) / LINE * LINE;
    return bytes;
}

/* ---- the rank that makes it --------------------------------------------------------------------------- */

static int find_or_make(const struct question *question, uint64_t *address_out)
{
    struct block *block = blocks;
    while (block != NULL && block->interface != question->interface) block = block->next;
    if (block != NULL && block->bytes != question->bytes) return BYRE_EPROTO;
    if (block == NULL) {
        if (byre__lent_memory == NULL) return BYRE_ENOTFOUND;
        block = malloc(sizeof *block);
        if (block == NULL) return BYRE_ENOMEM;
        *block = (struct block){ blocks, question->interface, question->bytes, NULL };
        int error = byre__lent_memory(question->bytes, &block->memory);
        if (error != BYRE_OK) {
            free(block);
            return error;
        }
        blocks = block;
    }
    *address_out = (uintptr_t)block->memory;
    return BYRE_OK;
}

static void run(byre__popup_job_t *popup)
{
    struct job *job = (struct job *)popup;
    struct answer answer = { .number = job->question.number };
    pthread_mutex_lock(&making);
    answer.error = find_or_make(&job->question, &answer.address);
    pthread_mutex_unlock(&making);
    (void)byre__rpc_send(job->rank, BYRE__AM_RPC_SHARED_AT, &answer, sizeof answer, NULL, 0, NULL,
                         NULL, 0);
    free(job);
}

static void on_question(const byre_am_t *am, void *arg)
{
    (void)arg;
    if (am->bytes != sizeof(struct question)) return;
    struct job *job = malloc(sizeof *job);
    if (job == NULL) {
        struct answer answer = { .error = BYRE_ENOMEM };
        memcpy(&answer.number, &((const struct question *)am->data)->number, sizeof answer.number);
        (void)byre__rpc_send(am->source, BYRE__AM_RPC_SHARED_AT, &answer, sizeof answer, NULL, 0,
                             NULL, NULL, BYRE__RPC_QUEUE);
        return;
    }
    job->job.run = run;
    job->rank = am->source;
    memcpy(&job->question, am->data, sizeof job->question);
    byre__popup_submit(&job->job);
}

/* ---- the one that asks ----------------------------------------------------------------------------------- */

static void on_answer(const byre_am_t *am, void *arg)
{
    struct answer answer;
    (void)arg;
    if (am->bytes != sizeof answer) return;
    memcpy(&answer, am->data, sizeof answer);
    pthread_mutex_lock(&asking.lock);
    for (struct asker *asker = asking.askers; asker != NULL; asker = asker->next) {
        if (asker->number != answer.number || asker->rank != am->source) continue;
        asker->address = answer.address;
        asker->error = (int)answer.error;
        atomic_store(&asker->answered, true);
    }
    pthread_mutex_unlock(&asking.lock);
}

static bool is_answered(void *arg)
{
    const struct asker *asker = arg;
    return atomic_load(&asker->answered) || byre__peer_absent(asker->rank);
}

static int ask(int rank, uint64_t interface, uint64_t bytes, uint64_t *address_out)
{
    struct asker self = { .rank = rank, .error = BYRE_EPEER };
    pthread_mutex_lock(&asking.lock);
    self.number = ++asking.numbers;
    self.next = asking.askers;
    asking.askers = &self;
    pthread_mutex_unlock(&asking.lock);
    struct question question = { interface, bytes, self.number };
    int error = byre__rpc_send(rank, BYRE__AM_RPC_SHARED, &question, sizeof question, NULL, 0, NULL,
                               NULL, 0);
    if (error == BYRE_OK) (void)byre__wait_until(is_answered, &self, 0);
    pthread_mutex_lock(&asking.lock);
    struct asker **at = &asking.askers;
    while (*at != &self) at = &(*at)->next;
    *at = self.next;
    if (error == BYRE_OK) error = self.error;
    pthread_mutex_unlock(&asking.lock);
    if (error == BYRE_OK) *address_out = self.address;
    return error;
}

int byre__rpc_shared_make(const byre_rpc_interface_t *interface, uint64_t *address_out)
{
    uint64_t name = byre__rpc_hash_text(interface->name), bytes = total_bytes(interface);
    int error = BYRE_EPEER;
    for (int r = 0; r < byre__nodes.size && error == BYRE_EPEER; r++)
        if (!byre__peer_absent(r)) error = ask(r, name, bytes, address_out);
    if (error == BYRE_ENOTFOUND)
        byre__error(
            "interface %s has shared variables, and there is no shared memory: link with dsm",
            interface->name);
    return error == BYRE_OK ? byre__rpc_shared_place(interface, *address_out) : error;
}

int byre__rpc_shared_place(const byre_rpc_interface_t *interface, uint64_t address)
{
    if (address == 0) {
        byre__error("interface %s has shared variables, and its server has none", interface->name);
        return BYRE_ENOTFOUND;
    }
    for (uint32_t i = 0; i < interface->shared_count; i++) {
        const byre_rpc_shared_t *variable = &interface->shared[i];
        __atomic_store_n(variable->place, (void *)(uintptr_t)address, __ATOMIC_RELEASE);
        address += (variable->bytes + LINE - 1) / LINE * LINE;
    }
    return BYRE_OK;
}

/* ---- start and finish -------------------------------------------------------------------------------------- */

int byre__rpc_shared_start(void)
{
    int error = byre__am_register(BYRE__AM_RPC_SHARED, on_question, NULL, NULL);
    if (error == BYRE_OK) error = byre__am_register(BYRE__AM_RPC_SHARED_AT, on_answer, NULL, NULL);
    return error;
}

void byre__rpc_shared_stop(void)
{
    while (blocks != NULL) {
        struct block *block = blocks;
        blocks = block->next;
        free(block);
    }
}
