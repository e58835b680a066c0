/* SPDX-License-Identifier: BSD-3-Clause */
/* context.c - directories, environments and limits that many jobs share, by key, while a daemon is there. */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 512 << 20 }; /* of all contexts together: more is a daemon that has gone mad */

keeper_context_t *keeper_context_find(keeper_t *k, byre__context_key_t key)
{
    keeper_context_t *at = k->contexts;
    while (at != NULL && (at->key.a != key.a || at->key.b != key.b)) at = at->next;
    return at;
}

static bool is_ours(const char *variable)
{
    return strncmp(variable, "BYRE_JOB=", 9) == 0 || strncmp(variable, "BYRE_KEEPER=", 12) == 0;
}

/* A client may itself be a job: what names it must not name its jobs. */
static size_t without_ours(char **env)
{
    size_t count = 0;
    for (char **at = env; *at != NULL; at++)
        if (!is_ours(*at)) env[count++] = *at;
    env[count] = NULL;
    return count;
}

int keeper_context_put(keeper_t *k, byre__context_key_t key, byre__unpack_t *payload)
{
    if (keeper_context_find(k, key) != NULL) return BYRE_OK;
    size_t bytes = (size_t)(payload->end - payload->at);
    if (bytes > MOST_BYTES - k->contexts_bytes) return BYRE_EPROTO;
    keeper_context_t *context = calloc(1, sizeof *context);
    if (context == NULL) return BYRE_ENOMEM;
    byre__unpack_context(payload, &context->context);
    if (!byre__unpack_done(payload)) {
        byre__context_fini(&context->context);
        free(context);
        return BYRE_EPROTO;
    }
    context->key = key;
    context->bytes = bytes;
    context->variables = without_ours(context->context.env);
    context->next = k->contexts;
    k->contexts = context;
    k->contexts_bytes += bytes;
    return BYRE_OK;
}

void keeper_context_free(keeper_t *k, byre__context_key_t key)
{
    keeper_context_t *context = keeper_context_find(k, key), **at = &k->contexts;
    if (context == NULL) return;
    while (*at != context) at = &(*at)->next;
    *at = context->next;
    k->contexts_bytes -= context->bytes;
    byre__context_fini(&context->context);
    free(context);
}

void keeper_context_free_all(keeper_t *k)
{
    while (k->contexts != NULL) keeper_context_free(k, k->contexts->key);
}
