/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * State at the server, held by the client through a handle. When a client dies, its handles are run down.
 *
 *   mpirun -n 2 rpc_kv
 */
#include "kv.h"

#include <byre.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the server ---------------------------------------------------------------------------------- */

struct entry {
    char key[MOST], value[MOST];
    struct entry *next;
};

struct table {
    pthread_mutex_t mutex; /* calls run on several threads */
    struct entry *entries;
};

static kv_t my_kv_create(const char *name)
{
    struct table *table = calloc(1, sizeof *table);
    (void)name;
    if (table != NULL) pthread_mutex_init(&table->mutex, NULL);
    return table;
}

static struct entry *find(struct table *table, const char *key)
{
    struct entry *entry = table->entries;
    while (entry != NULL && strcmp(entry->key, key) != 0) entry = entry->next;
    return entry;
}

static int my_kv_put(kv_t kv, const char *key, const char *value)
{
    int error = BYRE_OK;
    if (kv == NULL || strlen(key) >= MOST || strlen(value) >= MOST) return BYRE_EINVAL;
    pthread_mutex_lock(&kv->mutex);
    struct entry *entry = find(kv, key);
    if (entry == NULL && (entry = calloc(1, sizeof *entry)) != NULL) {
        strcpy(entry->key, key);
        entry->next = kv->entries;
        kv->entries = entry;
    }
    if (entry != NULL) {
        strcpy(entry->value, value);
    } else {
        error = BYRE_ENOMEM;
    }
    pthread_mutex_unlock(&kv->mutex);
    return error;
}

static int my_kv_get(kv_t kv, const char *key, char *value)
{
    value[0] = 0;
    if (kv == NULL) return BYRE_EINVAL;
    pthread_mutex_lock(&kv->mutex);
    const struct entry *entry = find(kv, key);
    if (entry != NULL) strcpy(value, entry->value);
    pthread_mutex_unlock(&kv->mutex);
    return entry != NULL ? BYRE_OK : BYRE_ENOTFOUND;
}

/* Called by Byre for the handles of a client that has died. */
void kv_t_rundown(kv_t kv)
{
    while (kv->entries != NULL) {
        struct entry *entry = kv->entries;
        kv->entries = entry->next;
        free(entry);
    }
    pthread_mutex_destroy(&kv->mutex);
    free(kv);
}

/* A handle that becomes NULL is given back. */
static void my_kv_destroy(kv_t *kv)
{
    if (*kv != NULL) kv_t_rundown(*kv);
    *kv = NULL;
}

/* ---- the client ------------------------------------------------------------------------------------ */

static int complain(const char *what, int error)
{
    fprintf(stderr, "rpc_kv: %s: %s\n", what, byre_strerror(error));
    return 1;
}

static int client(void)
{
    const byre_rpc_bind_attr_t attr = { .wait_ms = -1 };
    byre_rpc_binding_t binding;
    char value[MOST];
    int error = kv_bind(NULL, &attr, &binding);
    if (error != BYRE_OK) return complain("kv_bind", error);

    kv_t colors = kv_create("colors");
    kv_t sizes = kv_create("sizes");
    if (colors == NULL || sizes == NULL) return complain("kv_create", byre_rpc_outcome(NULL));
    error = kv_put(colors, "sky", "blue");
    if (error == BYRE_OK) error = kv_put(colors, "grass", "green");
    if (error == BYRE_OK) error = kv_put(colors, "sky", "grey");
    if (error == BYRE_OK) error = kv_put(sizes, "sky", "large");
    if (error == BYRE_OK) error = kv_get(colors, "sky", value);
    if (error != BYRE_OK) return complain("kv_put, kv_get", error);
    printf("the sky is %s", value);
    error = kv_get(sizes, "sky", value);
    if (error != BYRE_OK) return complain("kv_get", error);
    printf(" and %s\n", value);

    /* With [comm_status] the server's own errors and those of the call arrive in the same place. */
    error = kv_get(sizes, "grass", value);
    printf("the size of grass: %s\n", error == BYRE_ENOTFOUND ? "not known" : value);

    kv_destroy(&colors);
    kv_destroy(&sizes);
    printf("handles: %s\n", colors == NULL && sizes == NULL ? "given back" : "left");
    error = byre_rpc_unbind(binding);
    return error == BYRE_OK ? 0 : complain("byre_rpc_unbind", error);
}

int main(void)
{
    static const kv_procs_t procs = kv_PROCS(my_);
    byre_rpc_server_t server;
    int status = 0;
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);

    if (byre_rank() == (byre_size() > 1 ? 1 : 0)) {
        error = kv_export(&procs, NULL, NULL, &server);
        if (error != BYRE_OK) return complain("kv_export", error);
    }
    if (byre_rank() == 0) status = client();

    error = byre_finalize();
    return error == BYRE_OK ? status : complain("byre_finalize", error);
}
