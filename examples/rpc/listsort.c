/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copy-restore: the list goes to the server as a copy, is changed there by ordinary C, and what has changed
 * comes back into the caller's own nodes. Other pointers to them stay good.
 *
 *   mpirun -n 2 rpc_listsort
 */
#include "listsort.h"

#include <byre.h>
#include <stdio.h>
#include <string.h>

/* ---- the server ---------------------------------------------------------------------------------- */

static void my_sort(node_t **head)
{
    node_t *sorted = NULL;
    while (*head != NULL) {
        node_t *node = *head, **place = &sorted;
        *head = node->next;
        while (*place != NULL && (*place)->key <= node->key) place = &(*place)->next;
        node->next = *place;
        *place = node;
    }
    *head = sorted;
}

static int my_fill(node_t *head)
{
    int made = 0;
    for (node_t *node = head; node->next != NULL; node = node->next->next, made++) {
        node_t *between = byre_rpc_alloc(sizeof *between);
        if (between == NULL) break;
        between->key = (node->key + node->next->key) / 2;
        between->name = NULL;
        between->next = node->next;
        node->next = between;
    }
    return made;
}

/* ---- the client ------------------------------------------------------------------------------------ */

static int complain(const char *what, int error)
{
    fprintf(stderr, "rpc_listsort: %s: %s\n", what, byre_strerror(error));
    return 1;
}

static void print(const char *what, const node_t *node)
{
    printf("%s:", what);
    for (; node != NULL; node = node->next)
        printf(" %d %s", node->key, node->name != NULL ? node->name : "-");
    putchar('\n');
}

static int client(void)
{
    const byre_rpc_bind_attr_t attr = { .wait_ms = -1 };
    byre_rpc_binding_t binding;
    char pear[] = "pear", apple[] = "apple", plum[] = "plum";
    node_t nodes[] = { { 30, pear, &nodes[1] }, { 10, apple, &nodes[2] }, { 20, plum, NULL } };
    node_t *head = &nodes[0];
    int error = listsort_bind(NULL, &attr, &binding);
    if (error != BYRE_OK) return complain("listsort_bind", error);

    print("before", head);
    sort(&head);
    print("sorted", head);
    printf("it begins with my own node: %s\n",
           head == &nodes[1] && head->name == apple ? "yes" : "no");
    printf("the pear has become the last: %s\n", nodes[0].next == NULL ? "yes" : "no");
    int made = fill(head);
    printf("made by the server: %d\n", made);
    print("filled", head);

    error = byre_rpc_outcome(NULL);
    if (error != BYRE_OK) return complain("fill", error);
    for (node_t *node = head; node != NULL;) {
        node_t *next = node->next;
        if (node < nodes || node >= nodes + 3) byre_rpc_free(node);
        node = next;
    }
    error = byre_rpc_unbind(binding);
    return error == BYRE_OK ? 0 : complain("byre_rpc_unbind", error);
}

int main(void)
{
    static const listsort_procs_t procs = listsort_PROCS(my_);
    byre_rpc_server_t server;
    int status = 0;
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);

    if (byre_rank() == (byre_size() > 1 ? 1 : 0)) {
        error = listsort_export(&procs, NULL, NULL, &server);
        if (error != BYRE_OK) return complain("listsort_export", error);
    }
    if (byre_rank() == 0) status = client();

    error = byre_finalize();
    return error == BYRE_OK ? status : complain("byre_finalize", error);
}
