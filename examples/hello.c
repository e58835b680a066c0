/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The smallest program that communicates: each rank greets its right neighbour.
 *
 *   mpirun -n 4 hello
 */
#include <byre.h>
#include <stdio.h>
#include <string.h>

enum { GREETINGS = 1 }; /* a port: an address inside a rank */

static int complain(const char *what, int error)
{
    fprintf(stderr, "hello: %s: %s\n", what, byre_strerror(error));
    return 1;
}

int main(void)
{
    int error = byre_init();
    if (error != BYRE_OK) return complain("byre_init", error);

    int me = byre_rank(), ranks = byre_size();
    byre_addr_t neighbour = { .rank = (me + 1) % ranks, .port = GREETINGS };
    char text[128];
    snprintf(text, sizeof text, "hello from rank %d of %d on %s", me, ranks,
             byre_node_name(byre_node_of(me)));
    error = byre_isend_copy(neighbour, text, strlen(text) + 1);
    if (error != BYRE_OK) return complain("byre_isend_copy", error);

    byre_info_t info;
    error = byre_recv(GREETINGS, BYRE_ANY, text, sizeof text, &info);
    if (error != BYRE_OK) return complain("byre_recv", error);
    printf("rank %d got: %s\n", me, text);

    error = byre_finalize();
    return error == BYRE_OK ? 0 : complain("byre_finalize", error);
}
