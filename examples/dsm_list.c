/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A linked list in shared memory: every rank hangs a greeting in, rank 0 reads them all. The pointers hold
 * on every rank, because a shared address means the same everywhere.
 *
 *   mpirun -n 4 dsm_list
 */
#include <byre.h>
#include <stdio.h>

struct node {
    char text[64];
    struct node *next;
};

static const byre_dsm_lock_t list_lock = BYRE_DSM_LOCK(0); /* the same lock on all ranks */

static int complain(const char *what, int error)
{
    fprintf(stderr, "dsm_list: %s: %s\n", what, byre_strerror(error));
    return 1;
}

int main(void)
{
    void *region;
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);

    /* All ranks together: zeros, at one address. */
    error = byre_dsm_alloc(sizeof(struct node *), NULL, &region);
    if (error != BYRE_OK) return complain("byre_dsm_alloc", error);
    struct node **head = region;

    /* Each for itself: a node in the shared heap, put in front of the list. */
    struct node *node = byre_dsm_malloc(sizeof *node);
    if (!node) return complain("byre_dsm_malloc", BYRE_ENOMEM);
    snprintf(node->text, sizeof node->text, "rank %d of %d was here", byre_rank(), byre_size());
    error = byre_dsm_lock(&list_lock);
    if (error != BYRE_OK) return complain("byre_dsm_lock", error);
    node->next = *head;
    *head = node;
    byre_dsm_unlock(&list_lock);

    error = byre_dsm_barrier_all(); /* now the list is whole */
    if (error != BYRE_OK) return complain("byre_dsm_barrier_all", error);
    if (byre_rank() == 0)
        for (const struct node *n = *head; n; n = n->next) puts(n->text);

    error = byre_dsm_free(region); /* waits for all; the nodes go with byre_finalize */
    if (error != BYRE_OK) return complain("byre_dsm_free", error);
    error = byre_finalize();
    return error == BYRE_OK ? 0 : complain("byre_finalize", error);
}
