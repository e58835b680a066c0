/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Collectives with buffers in shared memory. See pmpi.h. An argument that MPI ignores on this rank is not
 * looked at: it may be anything.
 */
#include "pmpi.h"

typedef byre__pmpi_buffer_t buffer_t;

static const byre__pmpi_use_t READ = BYRE__PMPI_READ;

/* ---- who takes part ------------------------------------------------------------------------- */

static bool is_inter(MPI_Comm comm)
{
    int inter = 0;
    (void)PMPI_Comm_test_inter(comm, &inter);
    return inter;
}

/* How many blocks a buffer has that holds one for each rank on the other side. */
static int blocks_of(MPI_Comm comm)
{
    int size = 0;
    if (is_inter(comm))
        (void)PMPI_Comm_remote_size(comm, &size);
    else
        (void)PMPI_Comm_size(comm, &size);
    return size;
}

static bool is_root(int root, MPI_Comm comm)
{
    int rank = -1;
    if (is_inter(comm)) return root == MPI_ROOT;
    (void)PMPI_Comm_rank(comm, &rank);
    return rank == root;
}

/* In a communicator of two groups the root's group but for the root does nothing, and the root does
 * nothing that others do. */
static bool is_other(int root, MPI_Comm comm)
{
    return !is_inter(comm) || (root != MPI_ROOT && root != MPI_PROC_NULL);
}

static size_t times(int count, int blocks)
{
    return count > 0 && blocks > 0 ? (size_t)count * (size_t)blocks : 0;
}

/* What the other buffer is used for when one may be MPI_IN_PLACE. */
static byre__pmpi_use_t use_beside(const void *sendbuf)
{
    return sendbuf == MPI_IN_PLACE ? BYRE__PMPI_UPDATE : BYRE__PMPI_WRITE;
}

static buffer_t as_it_is(const void *buf)
{
    return (buffer_t){ .mpi = (void *)buf }; /* NOLINT */
}

static bool borrow(buffer_t *buffer, const void *buf, size_t count, MPI_Datatype type,
                   byre__pmpi_use_t use)
{
    if (buf == MPI_IN_PLACE) return true;
    return byre__pmpi_borrow(buffer, buf, count, type, use);
}

static int end(int code, buffer_t *in, buffer_t *out)
{
    byre__pmpi_drop(in);
    byre__pmpi_finish(out, code);
    return code;
}

static int fail(MPI_Comm comm, buffer_t *in, buffer_t *out)
{
    byre__pmpi_drop(in);
    byre__pmpi_drop(out);
    return byre__pmpi_no_memory(comm);
}

/* ---- one buffer ----------------------------------------------------------------------------- */

int MPI_Bcast(void *buf, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    buffer_t none = as_it_is(NULL), buffer = as_it_is(buf);
    bool sends = is_root(root, comm), receives = !sends && is_other(root, comm);
    if ((sends || receives) &&
        !byre__pmpi_borrow(&buffer, buf, times(count, 1), type, sends ? READ : BYRE__PMPI_WRITE))
        return fail(comm, &none, &buffer);
    int code = PMPI_Bcast(buffer.mpi, count, type, root, comm);
    return sends ? end(code, &buffer, &none) : end(code, &none, &buffer);
}

/* ---- reductions ----------------------------------------------------------------------------- */

int MPI_Reduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
               int root, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    size_t n = times(count, 1);
    if ((is_other(root, comm) && !borrow(&in, sendbuf, n, type, READ)) ||
        (is_root(root, comm) && !borrow(&out, recvbuf, n, type, use_beside(sendbuf))))
        return fail(comm, &in, &out);
    return end(PMPI_Reduce(in.mpi, out.mpi, count, type, op, root, comm), &in, &out);
}

int MPI_Allreduce(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    size_t n = times(count, 1);
    if (!borrow(&in, sendbuf, n, type, READ) ||
        !borrow(&out, recvbuf, n, type, use_beside(sendbuf)))
        return fail(comm, &in, &out);
    return end(PMPI_Allreduce(in.mpi, out.mpi, count, type, op, comm), &in, &out);
}

int MPI_Scan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
             MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    size_t n = times(count, 1);
    if (!borrow(&in, sendbuf, n, type, READ) ||
        !borrow(&out, recvbuf, n, type, use_beside(sendbuf)))
        return fail(comm, &in, &out);
    return end(PMPI_Scan(in.mpi, out.mpi, count, type, op, comm), &in, &out);
}

/* On rank 0 the result stays as it is. */
int MPI_Exscan(const void *sendbuf, void *recvbuf, int count, MPI_Datatype type, MPI_Op op,
               MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    size_t n = times(count, 1);
    if (!borrow(&in, sendbuf, n, type, READ) || !borrow(&out, recvbuf, n, type, BYRE__PMPI_UPDATE))
        return fail(comm, &in, &out);
    return end(PMPI_Exscan(in.mpi, out.mpi, count, type, op, comm), &in, &out);
}

int MPI_Reduce_scatter_block(const void *sendbuf, void *recvbuf, int recvcount, MPI_Datatype type,
                             MPI_Op op, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    int size = 0;
    (void)PMPI_Comm_size(comm, &size);
    size_t all = times(recvcount, size);
    if (!borrow(&in, sendbuf, all, type, READ) ||
        !borrow(&out, recvbuf, sendbuf == MPI_IN_PLACE ? all : times(recvcount, 1), type,
                use_beside(sendbuf)))
        return fail(comm, &in, &out);
    return end(PMPI_Reduce_scatter_block(in.mpi, out.mpi, recvcount, type, op, comm), &in, &out);
}

int MPI_Reduce_scatter(const void *sendbuf, void *recvbuf, const int recvcounts[],
                       MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    int size = 0, rank = 0;
    size_t all = 0;
    (void)PMPI_Comm_size(comm, &size);
    (void)PMPI_Comm_rank(comm, &rank);
    for (int i = 0; i < size; i++) all += times(recvcounts[i], 1);
    if (!borrow(&in, sendbuf, all, type, READ) ||
        !borrow(&out, recvbuf, sendbuf == MPI_IN_PLACE ? all : times(recvcounts[rank], 1), type,
                use_beside(sendbuf)))
        return fail(comm, &in, &out);
    return end(PMPI_Reduce_scatter(in.mpi, out.mpi, recvcounts, type, op, comm), &in, &out);
}

/* ---- gather, scatter ------------------------------------------------------------------------ */

int MPI_Gather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
               int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if ((is_other(root, comm) && !borrow(&in, sendbuf, times(sendcount, 1), sendtype, READ)) ||
        (is_root(root, comm) &&
         !borrow(&out, recvbuf, times(recvcount, blocks_of(comm)), recvtype, use_beside(sendbuf))))
        return fail(comm, &in, &out);
    int code = PMPI_Gather(in.mpi, sendcount, sendtype, out.mpi, recvcount, recvtype, root, comm);
    return end(code, &in, &out);
}

int MPI_Gatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                const int recvcounts[], const int displs[], MPI_Datatype recvtype, int root,
                MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if ((is_other(root, comm) && !borrow(&in, sendbuf, times(sendcount, 1), sendtype, READ)) ||
        (is_root(root, comm) &&
         !byre__pmpi_borrow_blocks(&out, recvbuf, blocks_of(comm), recvcounts, displs, recvtype,
                                   BYRE__PMPI_UPDATE)))
        return fail(comm, &in, &out);
    int code = PMPI_Gatherv(in.mpi, sendcount, sendtype, out.mpi, recvcounts, displs, recvtype,
                            root, comm);
    return end(code, &in, &out);
}

int MPI_Scatter(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                int recvcount, MPI_Datatype recvtype, int root, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if ((is_root(root, comm) &&
         !borrow(&in, sendbuf, times(sendcount, blocks_of(comm)), sendtype, READ)) ||
        (is_other(root, comm) &&
         !borrow(&out, recvbuf, times(recvcount, 1), recvtype, BYRE__PMPI_WRITE)))
        return fail(comm, &in, &out);
    int code = PMPI_Scatter(in.mpi, sendcount, sendtype, out.mpi, recvcount, recvtype, root, comm);
    return end(code, &in, &out);
}

int MPI_Scatterv(const void *sendbuf, const int sendcounts[], const int displs[],
                 MPI_Datatype sendtype, void *recvbuf, int recvcount, MPI_Datatype recvtype,
                 int root, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if ((is_root(root, comm) && !byre__pmpi_borrow_blocks(&in, sendbuf, blocks_of(comm), sendcounts,
                                                          displs, sendtype, READ)) ||
        (is_other(root, comm) &&
         !borrow(&out, recvbuf, times(recvcount, 1), recvtype, BYRE__PMPI_WRITE)))
        return fail(comm, &in, &out);
    int code = PMPI_Scatterv(in.mpi, sendcounts, displs, sendtype, out.mpi, recvcount, recvtype,
                             root, comm);
    return end(code, &in, &out);
}

/* ---- all to all ----------------------------------------------------------------------------- */

int MPI_Allgather(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                  int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if (!borrow(&in, sendbuf, times(sendcount, 1), sendtype, READ) ||
        !borrow(&out, recvbuf, times(recvcount, blocks_of(comm)), recvtype, use_beside(sendbuf)))
        return fail(comm, &in, &out);
    int code = PMPI_Allgather(in.mpi, sendcount, sendtype, out.mpi, recvcount, recvtype, comm);
    return end(code, &in, &out);
}

int MPI_Allgatherv(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                   const int recvcounts[], const int displs[], MPI_Datatype recvtype, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    if (!borrow(&in, sendbuf, times(sendcount, 1), sendtype, READ) ||
        !byre__pmpi_borrow_blocks(&out, recvbuf, blocks_of(comm), recvcounts, displs, recvtype,
                                  BYRE__PMPI_UPDATE))
        return fail(comm, &in, &out);
    int code =
        PMPI_Allgatherv(in.mpi, sendcount, sendtype, out.mpi, recvcounts, displs, recvtype, comm);
    return end(code, &in, &out);
}

int MPI_Alltoall(const void *sendbuf, int sendcount, MPI_Datatype sendtype, void *recvbuf,
                 int recvcount, MPI_Datatype recvtype, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    int blocks = blocks_of(comm);
    if (!borrow(&in, sendbuf, times(sendcount, blocks), sendtype, READ) ||
        !borrow(&out, recvbuf, times(recvcount, blocks), recvtype, use_beside(sendbuf)))
        return fail(comm, &in, &out);
    int code = PMPI_Alltoall(in.mpi, sendcount, sendtype, out.mpi, recvcount, recvtype, comm);
    return end(code, &in, &out);
}

int MPI_Alltoallv(const void *sendbuf, const int sendcounts[], const int sdispls[],
                  MPI_Datatype sendtype, void *recvbuf, const int recvcounts[], const int rdispls[],
                  MPI_Datatype recvtype, MPI_Comm comm)
{
    buffer_t in = as_it_is(sendbuf), out = as_it_is(recvbuf);
    int blocks = blocks_of(comm);
    if ((sendbuf != MPI_IN_PLACE &&
         !byre__pmpi_borrow_blocks(&in, sendbuf, blocks, sendcounts, sdispls, sendtype, READ)) ||
        !byre__pmpi_borrow_blocks(&out, recvbuf, blocks, recvcounts, rdispls, recvtype,
                                  BYRE__PMPI_UPDATE))
        return fail(comm, &in, &out);
    int code = PMPI_Alltoallv(in.mpi, sendcounts, sdispls, sendtype, out.mpi, recvcounts, rdispls,
                              recvtype, comm);
    return end(code, &in, &out);
}
