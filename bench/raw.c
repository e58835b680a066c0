/* SPDX-License-Identifier: BSD-3-Clause */
/* The floor: the same messages with Open MPI's own calls, in the same process, on a communicator of
 * the application. Errors end the job by MPI's default error handler, so nothing is checked here
 * that raw programs do not check. */
#include "bench.h"

#include <limits.h>
#include <stdlib.h>

#define TAG 1

/* The sizes that are measured fit an int (options.c sees to it). */
static int length(const struct pair *pair)
{
    return (int)pair->bytes;
}

static void send_blocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        MPI_Send(pair->out, length(pair), MPI_BYTE, pair->peer, TAG, pair->comm);
}

static void recv_blocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        MPI_Recv(pair->in, length(pair), MPI_BYTE, pair->peer, TAG, pair->comm, MPI_STATUS_IGNORE);
}

static void send_sync(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        MPI_Ssend(pair->out, length(pair), MPI_BYTE, pair->peer, TAG, pair->comm);
}

static void send_nonblocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        MPI_Isend(pair->out, length(pair), MPI_BYTE, pair->peer, TAG, pair->comm,
                  &pair->raw_requests[i]);
    MPI_Waitall(count, pair->raw_requests, MPI_STATUSES_IGNORE);
}

static void recv_nonblocking(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++)
        MPI_Irecv(pair->in, length(pair), MPI_BYTE, pair->peer, TAG, pair->comm,
                  &pair->raw_requests[i]);
    MPI_Waitall(count, pair->raw_requests, MPI_STATUSES_IGNORE);
}

/* What a program does that does not know the length: Byre's get_message in MPI's terms. */
static void recv_probe(struct pair *pair, int count)
{
    for (int i = 0; i < count; i++) {
        int found = 0, bytes;
        MPI_Message message;
        MPI_Status status;
        while (!found) MPI_Improbe(pair->peer, TAG, pair->comm, &found, &message, &status);
        MPI_Get_count(&status, MPI_BYTE, &bytes);
        void *buf = malloc((size_t)bytes + 1);
        MPI_Mrecv(buf, bytes, MPI_BYTE, &message, MPI_STATUS_IGNORE);
        free(buf);
    }
}

const struct flavour raw_blocking = { "MPI_Send/Recv", send_blocking, recv_blocking, true };
const struct flavour raw_sync = { "MPI_Ssend/Recv", send_sync, recv_blocking, true };
const struct flavour raw_isend = { "MPI_Isend/Irecv/Waitall", send_nonblocking, recv_nonblocking,
                                   true };
const struct flavour raw_irecv = { "MPI_Send/Irecv/Wait", send_blocking, recv_nonblocking, true };
const struct flavour raw_probe = { "MPI_Send/Improbe/Mrecv", send_blocking, recv_probe, true };
