/* SPDX-License-Identifier: BSD-3-Clause */
/* Sends and receives with buffers in shared memory. See pmpi.h. */
#include "pmpi.h"

#include <stdlib.h>

static size_t many(int count)
{
    return count > 0 ? (size_t)count : 0;
}

/* ---- blocking ------------------------------------------------------------------------------- */

typedef int send_fn(const void *, int, MPI_Datatype, int, int, MPI_Comm);

static int send(send_fn *fn, const void *buf, int count, MPI_Datatype type, int dest, int tag,
                MPI_Comm comm)
{
    byre__pmpi_buffer_t buffer;
    if (!byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_READ))
        return byre__pmpi_no_memory(comm);
    int code = fn(buffer.mpi, count, type, dest, tag, comm);
    byre__pmpi_drop(&buffer);
    return code;
}

int MPI_Send(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    return send(PMPI_Send, buf, count, type, dest, tag, comm);
}

int MPI_Ssend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    return send(PMPI_Ssend, buf, count, type, dest, tag, comm);
}

int MPI_Rsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    return send(PMPI_Rsend, buf, count, type, dest, tag, comm);
}

int MPI_Bsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm)
{
    return send(PMPI_Bsend, buf, count, type, dest, tag, comm);
}

/* The end of a receive. */
static int received(byre__pmpi_buffer_t *buffer, int code, const MPI_Status *status)
{
    if (buffer->copy == NULL) return code;
    if (code == MPI_SUCCESS)
        byre__pmpi_return(buffer, byre__pmpi_received(status));
    else
        byre__pmpi_drop(buffer);
    return code;
}

int MPI_Recv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
             MPI_Status *status)
{
    byre__pmpi_buffer_t buffer;
    MPI_Status own;
    if (!byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_WRITE))
        return byre__pmpi_no_memory(comm);
    if (status == MPI_STATUS_IGNORE && buffer.copy != NULL) status = &own;
    int code = PMPI_Recv(buffer.mpi, count, type, source, tag, comm, status);
    return received(&buffer, code, status);
}

int MPI_Mrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Status *status)
{
    byre__pmpi_buffer_t buffer;
    MPI_Status own;
    if (!byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_WRITE))
        return byre__pmpi_no_memory(MPI_COMM_WORLD);
    if (status == MPI_STATUS_IGNORE && buffer.copy != NULL) status = &own;
    int code = PMPI_Mrecv(buffer.mpi, count, type, message, status);
    return received(&buffer, code, status);
}

int MPI_Sendrecv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                 void *recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag,
                 MPI_Comm comm, MPI_Status *status)
{
    byre__pmpi_buffer_t out, in;
    MPI_Status own;
    if (!byre__pmpi_borrow(&out, sendbuf, many(sendcount), sendtype, BYRE__PMPI_READ))
        return byre__pmpi_no_memory(comm);
    if (!byre__pmpi_borrow(&in, recvbuf, many(recvcount), recvtype, BYRE__PMPI_WRITE)) {
        byre__pmpi_drop(&out);
        return byre__pmpi_no_memory(comm);
    }
    if (status == MPI_STATUS_IGNORE && in.copy != NULL) status = &own;
    int code = PMPI_Sendrecv(out.mpi, sendcount, sendtype, dest, sendtag, in.mpi, recvcount,
                             recvtype, source, recvtag, comm, status);
    byre__pmpi_drop(&out);
    return received(&in, code, status);
}

int MPI_Sendrecv_replace(void *buf, int count, MPI_Datatype type, int dest, int sendtag, int source,
                         int recvtag, MPI_Comm comm, MPI_Status *status)
{
    byre__pmpi_buffer_t buffer;
    MPI_Status own;
    if (!byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_UPDATE))
        return byre__pmpi_no_memory(comm);
    if (status == MPI_STATUS_IGNORE && buffer.copy != NULL) status = &own;
    int code = PMPI_Sendrecv_replace(buffer.mpi, count, type, dest, sendtag, source, recvtag, comm,
                                     status);
    return received(&buffer, code, status);
}

/* ---- nonblocking ---------------------------------------------------------------------------- */

/* The operation has begun: its request keeps the copy. */
static void keep(byre__pmpi_entry_t *entry, const byre__pmpi_buffer_t *buffer, MPI_Request request,
                 bool receives)
{
    *entry = (byre__pmpi_entry_t){ .request = request, .receives = receives, .buffer = *buffer };
    byre__pmpi_put(entry);
}

/* Sends that are complete at once may all have the same request, so none of them is kept. */
static bool is_complete(MPI_Request request)
{
    int flag = 0;
    return PMPI_Request_get_status(request, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && flag;
}

typedef int isend_fn(const void *, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request *);

static int isend(isend_fn *fn, const void *buf, int count, MPI_Datatype type, int dest, int tag,
                 MPI_Comm comm, MPI_Request *request)
{
    byre__pmpi_buffer_t buffer;
    if (!byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_READ))
        return byre__pmpi_no_memory(comm);
    if (__builtin_expect(buffer.copy == NULL, 1))
        return fn(buffer.mpi, count, type, dest, tag, comm, request);
    byre__pmpi_entry_t *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        byre__pmpi_drop(&buffer);
        return byre__pmpi_no_memory(comm);
    }
    int code = fn(buffer.mpi, count, type, dest, tag, comm, request);
    if (code == MPI_SUCCESS && !is_complete(*request)) {
        keep(entry, &buffer, *request, false);
    } else {
        byre__pmpi_drop(&buffer);
        free(entry);
    }
    return code;
}

int MPI_Isend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    return isend(PMPI_Isend, buf, count, type, dest, tag, comm, request);
}

int MPI_Issend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    return isend(PMPI_Issend, buf, count, type, dest, tag, comm, request);
}

int MPI_Irsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    return isend(PMPI_Irsend, buf, count, type, dest, tag, comm, request);
}

int MPI_Ibsend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
               MPI_Request *request)
{
    return isend(PMPI_Ibsend, buf, count, type, dest, tag, comm, request);
}

/* A receive has begun, or failed. */
static int irecv_begun(int code, byre__pmpi_buffer_t *buffer, byre__pmpi_entry_t *entry,
                       MPI_Request request)
{
    if (code == MPI_SUCCESS) {
        keep(entry, buffer, request, true);
    } else {
        byre__pmpi_drop(buffer);
        free(entry);
    }
    return code;
}

int MPI_Irecv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    byre__pmpi_buffer_t buffer = { .mpi = buf };
    if (source != MPI_PROC_NULL &&
        !byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_WRITE))
        return byre__pmpi_no_memory(comm);
    byre__pmpi_entry_t *entry = buffer.copy != NULL ? malloc(sizeof *entry) : NULL;
    if (buffer.copy != NULL && entry == NULL) {
        byre__pmpi_drop(&buffer);
        return byre__pmpi_no_memory(comm);
    }
    int code = PMPI_Irecv(buffer.mpi, count, type, source, tag, comm, request);
    return entry == NULL ? code : irecv_begun(code, &buffer, entry, *request);
}

int MPI_Imrecv(void *buf, int count, MPI_Datatype type, MPI_Message *message, MPI_Request *request)
{
    byre__pmpi_buffer_t buffer = { .mpi = buf };
    if (*message != MPI_MESSAGE_NO_PROC &&
        !byre__pmpi_borrow(&buffer, buf, many(count), type, BYRE__PMPI_WRITE))
        return byre__pmpi_no_memory(MPI_COMM_WORLD);
    byre__pmpi_entry_t *entry = buffer.copy != NULL ? malloc(sizeof *entry) : NULL;
    if (buffer.copy != NULL && entry == NULL) {
        byre__pmpi_drop(&buffer);
        return byre__pmpi_no_memory(MPI_COMM_WORLD);
    }
    int code = PMPI_Imrecv(buffer.mpi, count, type, message, request);
    return entry == NULL ? code : irecv_begun(code, &buffer, entry, *request);
}
