/* SPDX-License-Identifier: BSD-3-Clause */
/* Two ranks and the two ways in which they exercise a flavour of messages. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void pair_init(struct pair *pair, const struct crew *crew, size_t longest, int window)
{
    *pair = (struct pair){ .comm = crew->world,
                           .peer = crew->peer,
                           .leader = crew->leader,
                           .window = window,
                           .eventfd = eventfd(0, EFD_CLOEXEC) };
    size_t room = (longest + 8192) & ~(size_t)4095;
    pair->out = aligned_alloc(4096, room);
    pair->in = aligned_alloc(4096, room);
    pair->raw_requests = calloc((size_t)window, sizeof *pair->raw_requests);
    pair->requests = calloc((size_t)window, sizeof(byre_request_t));
    if (!pair->out || !pair->in || !pair->raw_requests || !pair->requests || pair->eventfd < 0)
        bench_die("buffers", "out of memory or of file descriptors");
    memset(pair->out, 'b', room);
    memset(pair->in, 0, room);
}

void pair_fini(struct pair *pair)
{
    free(pair->out);
    free(pair->in);
    free(pair->raw_requests);
    free(pair->requests);
    close(pair->eventfd);
}

double pair_pingpong(struct pair *pair, const struct flavour *flavour, int n)
{
    double start = now();
    for (int i = 0; i < n; i++) {
        if (pair->leader) {
            flavour->send(pair, 1);
            flavour->recv(pair, 1);
        } else {
            flavour->recv(pair, 1);
            flavour->send(pair, 1);
        }
    }
    return now() - start;
}

/* The answer to a window goes the plainest way of its own side. */
static void ack_send(struct pair *pair, bool raw)
{
    if (raw)
        MPI_Send(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm);
    else
        check_byre("byre_send", byre_send((byre_addr_t){ pair->peer, PORT_ACK }, NULL, 0));
}

static void ack_recv(struct pair *pair, bool raw)
{
    if (raw)
        MPI_Recv(NULL, 0, MPI_BYTE, pair->peer, PORT_ACK, pair->comm, MPI_STATUS_IGNORE);
    else
        check_byre("byre_recv", byre_recv(PORT_ACK, pair->peer, NULL, 0, NULL));
}

double pair_stream(struct pair *pair, const struct flavour *flavour, int n)
{
    double start = now();
    for (int i = 0; i < n; i++) {
        if (pair->leader) {
            flavour->send(pair, pair->window);
            ack_recv(pair, flavour->raw);
        } else {
            flavour->recv(pair, pair->window);
            ack_send(pair, flavour->raw);
        }
    }
    return now() - start;
}
