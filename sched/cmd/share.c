/* SPDX-License-Identifier: BSD-3-Clause */
/* share.c - the commands' connection to the daemon of this node; see share.h. */
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a standard stream is closed, no socket shall come to its number: what takes its place cannot be read, or
 * written, either. */
static void keep_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            /* cppcheck-suppress leakReturnValNotUsed ; it stays */
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    }
}

byre_sched_t *share_connect(const byre__cmd_t *cmd, const char *pool)
{
    byre_sched_t *sched;
    char why[BYRE__CLIENT_WHY];

    keep_streams();
    if (byre__client_open(pool, -1, &sched, why) == BYRE_OK) return sched;
    byre__cmd_fail(cmd, "%s", why);
    return NULL;
}

int share_failed(const byre__cmd_t *cmd, const byre_sched_t *sched)
{
    return byre__cmd_fail(cmd, "%s", byre_sched_explain(sched));
}

int share_ask_list(byre_sched_t *sched, uint16_t type, const byre__pack_t *ask, uint16_t each,
                   share_take_fn *take, void *arg, byre__unpack_t *done_out)
{
    byre__frame_t frame;
    byre__unpack_t say;
    uint32_t tag;
    int error = byre__client_ask(sched, type, ask, &tag);

    for (;;) {
        if (error == BYRE_OK) error = byre__client_answer(sched, tag, -1, &frame, &say);
        if (error != BYRE_OK) return error;
        if (frame.type == BYRE__SAY_DONE) break;
        if (frame.type != each) return byre__client_broken(sched, BYRE_EPROTO);
        if (!take(arg, &say)) return BYRE_ECANCELED;
        if (!byre__unpack_done(&say)) return byre__client_broken(sched, BYRE_EPROTO);
    }
    if (done_out != NULL) *done_out = say;
    return BYRE_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------------- */

typedef struct nodes {
    byre__node_row_t *rows;
    size_t count, room;
} nodes_t;

static bool take_node(void *arg, byre__unpack_t *say)
{
    nodes_t *nodes = arg;

    if (nodes->count == nodes->room) {
        size_t room = nodes->room ? 2 * nodes->room : 16;
        byre__node_row_t *rows = realloc(nodes->rows, room * sizeof *rows);

        if (rows == NULL) return false;
        nodes->rows = rows;
        nodes->room = room;
    }
    byre__unpack_node_row(say, &nodes->rows[nodes->count++]);
    return true;
}

/* n2 before n10. */
static int by_name(const void *a, const void *b)
{
    return strverscmp(((const byre__node_row_t *)a)->name, ((const byre__node_row_t *)b)->name);
}

int share_nodes(byre_sched_t *sched, byre__node_row_t **rows_out, size_t *count_out)
{
    nodes_t nodes = { 0 };
    int error =
        share_ask_list(sched, BYRE__ASK_NODES, NULL, BYRE__SAY_NODE, take_node, &nodes, NULL);

    if (error == BYRE_ECANCELED) error = byre__client_broken(sched, BYRE_ENOMEM);
    if (error != BYRE_OK) {
        free(nodes.rows);
        return error;
    }
    if (nodes.count > 1) qsort(nodes.rows, nodes.count, sizeof *nodes.rows, by_name);
    *rows_out = nodes.rows;
    *count_out = nodes.count;
    return BYRE_OK;
}
