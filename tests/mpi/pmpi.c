/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 90 */
/* ranks: 1 2 3 4 */
/* An application's own MPI calls with buffers in shared memory, with libbyre_pmpi: whatever another rank wrote
 * is sent, whatever comes is seen by another rank; buffers of several ranks share pages, and gaps of
 * datatypes stay whose they are. */
#include "testing.h"

#include <limits.h>
#include <mpi.h>

static const size_t sizes[] = { 100, 4096, 5000, 70001, MIB };

static char *region; /* [ranks][2] pieces: out, in */
static MPI_Comm comm;

static char *out_of(int rank, size_t bytes)
{
    return region + (size_t)rank * 2 * bytes + 13;
}

static char *in_of(int rank, size_t bytes)
{
    return out_of(rank, bytes) + bytes;
}

static void together(void)
{
    EXPECT(BYRE_OK, byre_barrier());
}

#define MPI(call) EQUAL(MPI_SUCCESS, call)

/* ---- sends and receives -------------------------------------------------------------------------- */

enum send_kind { SEND, SSEND, BSEND, RSEND, ISEND, ISSEND, IRSEND, IBSEND, SEND_KINDS };
enum recv_kind {
    WAIT,
    TEST,
    WAITALL,
    TESTALL,
    WAITANY,
    TESTANY,
    WAITSOME,
    TESTSOME,
    LOOKED_AT,
    RECV,
    MRECV,
    IMRECV,
    RECV_KINDS
};

static void send_one(enum send_kind kind, const char *buf, int bytes, MPI_Request *request)
{
    int to = right();
    *request = MPI_REQUEST_NULL;
    switch (kind) {
    case SEND:
        MPI(MPI_Send(buf, bytes, MPI_BYTE, to, 1, comm));
        break;
    case SSEND:
        MPI(MPI_Ssend(buf, bytes, MPI_BYTE, to, 1, comm));
        break;
    case BSEND:
        MPI(MPI_Bsend(buf, bytes, MPI_BYTE, to, 1, comm));
        break;
    case RSEND:
        MPI(MPI_Rsend(buf, bytes, MPI_BYTE, to, 1, comm));
        break;
    case ISEND:
        MPI(MPI_Isend(buf, bytes, MPI_BYTE, to, 1, comm, request));
        break;
    case ISSEND:
        MPI(MPI_Issend(buf, bytes, MPI_BYTE, to, 1, comm, request));
        break;
    case IRSEND:
        MPI(MPI_Irsend(buf, bytes, MPI_BYTE, to, 1, comm, request));
        break;
    case IBSEND:
        MPI(MPI_Ibsend(buf, bytes, MPI_BYTE, to, 1, comm, request));
        break;
    case SEND_KINDS:
        break;
    }
}

/* Returns with the status of the receive. */
static MPI_Status complete(enum recv_kind kind, MPI_Request *request)
{
    MPI_Request two[2] = { MPI_REQUEST_NULL, *request };
    MPI_Status status = { 0 }, statuses[2];
    int index = 9, flag = 0, count = 0, indices[2];
    switch (kind) {
    case WAIT:
        MPI(MPI_Wait(request, &status));
        break;
    case TEST:
        while (!flag) MPI(MPI_Test(request, &flag, &status));
        break;
    case WAITALL:
        MPI(MPI_Waitall(2, two, statuses));
        status = statuses[1];
        break;
    case TESTALL:
        while (!flag) MPI(MPI_Testall(2, two, &flag, statuses));
        status = statuses[1];
        break;
    case WAITANY:
        MPI(MPI_Waitany(2, two, &index, &status));
        EQUAL(1, index);
        break;
    case TESTANY:
        while (!flag) MPI(MPI_Testany(2, two, &index, &flag, &status));
        EQUAL(1, index);
        break;
    case WAITSOME:
        MPI(MPI_Waitsome(2, two, &count, indices, statuses));
        EQUAL(1, count);
        EQUAL(1, indices[0]);
        status = statuses[0];
        break;
    case TESTSOME:
        while (count == 0) MPI(MPI_Testsome(2, two, &count, indices, statuses));
        EQUAL(1, indices[0]);
        status = statuses[0];
        break;
    case LOOKED_AT:
        while (!flag) MPI(MPI_Request_get_status(*request, &flag, &status));
        break;
    default:
        break;
    }
    return status;
}

static void receive_one(enum recv_kind kind, char *buf, int bytes, MPI_Status *status)
{
    MPI_Message message;
    MPI_Request request;
    if (kind == RECV) {
        MPI(MPI_Recv(buf, bytes, MPI_BYTE, left(), 1, comm, status));
        return;
    }
    MPI(MPI_Mprobe(left(), 1, comm, &message, status));
    if (kind == MRECV) {
        MPI(MPI_Mrecv(buf, bytes, MPI_BYTE, &message, status));
    } else {
        MPI(MPI_Imrecv(buf, bytes, MPI_BYTE, &message, &request));
        MPI(MPI_Wait(&request, status));
    }
}

/* The neighbour writes what this rank sends, and reads what it receives. */
static void exchange(enum send_kind send, enum recv_kind recv, size_t bytes)
{
    uint64_t seed = mix3((uint64_t)send, (uint64_t)recv, bytes);
    MPI_Request sent = MPI_REQUEST_NULL, receive = MPI_REQUEST_NULL;
    MPI_Status status;
    int got = -1;
    fill(out_of(right(), bytes), bytes, seed + (uint64_t)right());
    memset(in_of(right(), bytes), 0, bytes);
    together();
    if (recv < RECV)
        MPI(MPI_Irecv(in_of(me, bytes), (int)bytes, MPI_BYTE, left(), 1, comm, &receive));
    if (send == RSEND || send == IRSEND) together(); /* the receive is there */
    send_one(send, out_of(me, bytes), (int)bytes - 3, &sent);
    if (recv < RECV)
        status = complete(recv, &receive);
    else
        receive_one(recv, in_of(me, bytes), (int)bytes, &status);
    if (recv == LOOKED_AT) CHECK(filled(in_of(me, bytes), 8, seed + (uint64_t)left()));
    if (recv == LOOKED_AT) MPI(MPI_Wait(&receive, MPI_STATUS_IGNORE));
    MPI(MPI_Wait(&sent, MPI_STATUS_IGNORE));
    MPI(MPI_Get_count(&status, MPI_BYTE, &got));
    EQUAL(bytes - 3, got);
    together();
    const char *theirs = in_of(right(), bytes);
    CHECK(filled(theirs, (bytes - 3) / 8 * 8, seed + (uint64_t)me));
    CHECK(theirs[bytes - 3] == 0 && theirs[bytes - 1] == 0);
    together();
}

static void all_pairs(void)
{
    void *attached = room_for(2 * MIB);
    int bytes;
    MPI(MPI_Buffer_attach(attached, 2 * (int)MIB));
    for (int send = 0; send < SEND_KINDS; send++)
        for (int recv = 0; recv < RECV_KINDS; recv++) {
            bool early = recv < RECV; /* is there a receive when the send begins? */
            if (!early && (send == SEND || send == SSEND || send == RSEND || send == IRSEND))
                continue;
            for (size_t i = 0; i < LENGTH(sizes); i++)
                if ((size_t)(send + recv) % 3 == i % 3 && (sizes[i] < MIB || send == recv))
                    exchange((enum send_kind)send, (enum recv_kind)recv, sizes[i]);
        }
    MPI(MPI_Buffer_detach((void *)&attached, &bytes));
    free(attached);
}

static void both_ways(size_t bytes)
{
    MPI_Status status;
    int got = 0;
    fill(out_of(right(), bytes), bytes, bytes + (uint64_t)right());
    together();
    MPI(MPI_Sendrecv(out_of(me, bytes), (int)bytes, MPI_BYTE, right(), 2, in_of(me, bytes),
                     (int)bytes, MPI_BYTE, left(), 2, comm, &status));
    MPI(MPI_Get_count(&status, MPI_BYTE, &got));
    EQUAL(bytes, got);
    together();
    CHECK(filled(in_of(right(), bytes), bytes, bytes + (uint64_t)me));
    together();
    MPI(MPI_Sendrecv_replace(out_of(me, bytes), (int)bytes, MPI_BYTE, right(), 3, left(), 3, comm,
                             MPI_STATUS_IGNORE));
    together();
    CHECK(filled(out_of(right(), bytes), bytes, bytes + (uint64_t)me));
    together();
}

/* Nobody is there, nobody sends. */
static void nobody(void)
{
    MPI_Request request;
    MPI_Status status;
    int flag = 0, cancelled = 0;
    memset(in_of(me, 100), 7, 100);
    MPI(MPI_Irecv(in_of(me, 100), 100, MPI_BYTE, MPI_PROC_NULL, 1, comm, &request));
    MPI(MPI_Wait(&request, &status));
    MPI(MPI_Recv(in_of(me, 100), 100, MPI_BYTE, MPI_PROC_NULL, 1, comm, MPI_STATUS_IGNORE));
    MPI(MPI_Irecv(in_of(me, 100), 100, MPI_BYTE, MPI_ANY_SOURCE, 99, comm, &request));
    MPI(MPI_Test(&request, &flag, &status));
    EQUAL(0, flag);
    MPI(MPI_Cancel(&request));
    MPI(MPI_Wait(&request, &status));
    MPI(MPI_Test_cancelled(&status, &cancelled));
    EQUAL(1, cancelled);
    for (int i = 0; i < 100; i++) EQUAL(7, in_of(me, 100)[i]);
    together();
}

/* Many requests at once, with ordinary ones among them. */
static void many(void)
{
    enum { MANY = 100, EACH = 700 };
    static MPI_Request requests[2 * MANY];
    static char ordinary[MANY][EACH];
    for (int i = 0; i < MANY; i++) fill(out_of(right(), MANY * EACH) + i * EACH, EACH, (uint64_t)i);
    together();
    for (int i = 0; i < MANY; i++) {
        char *to = i % 3 == 0 ? ordinary[i] : in_of(me, MANY * EACH) + i * EACH;
        MPI(MPI_Irecv(to, EACH, MPI_BYTE, left(), 100 + i, comm, &requests[i]));
    }
    for (int i = MANY - 1; i >= 0; i--)
        MPI(MPI_Isend(out_of(me, MANY * EACH) + i * EACH, EACH, MPI_BYTE, right(), 100 + i, comm,
                      &requests[MANY + i]));
    MPI(MPI_Waitall(2 * MANY, requests, MPI_STATUSES_IGNORE));
    for (int i = 0; i < MANY; i++) {
        char *to = i % 3 == 0 ? ordinary[i] : in_of(me, MANY * EACH) + i * EACH;
        CHECK(requests[i] == MPI_REQUEST_NULL && filled(to, EACH, (uint64_t)i));
    }
    together();
}

/* ---- datatypes with gaps ------------------------------------------------------------------------- */

/* Every rank receives into its own of each `ranks` neighbouring numbers, all at once. */
static void interleaved(void)
{
    enum { NUMBERS = 3000 };
    int *mine = (int *)(void *)region + me, *all = (int *)(void *)region;
    static int from[NUMBERS];
    MPI_Datatype every;
    MPI_Request request;
    MPI(MPI_Type_vector(NUMBERS, 1, ranks, MPI_INT, &every));
    MPI(MPI_Type_commit(&every));
    memset(in_of(me, MIB), 0, 10);
    together();
    if (me == 0) memset(all, 0xff, sizeof(int) * NUMBERS * (size_t)ranks);
    together();
    for (int i = 0; i < NUMBERS; i++) from[i] = i % 7 == 0 ? -1 : i * ranks + me;
    MPI(MPI_Irecv(mine, 1, every, left(), 5, comm, &request));
    MPI(MPI_Send(from, NUMBERS, MPI_INT, right(), 5, comm));
    MPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
    together();
    for (int i = 0; i < NUMBERS; i++)
        for (int r = 0; r < ranks; r++)
            EQUAL(i % 7 == 0 ? -1 : i * ranks + (r + ranks - 1) % ranks, all[i * ranks + r]);
    together();
    /* And back: from everywhere to a plain array. */
    MPI(MPI_Irecv(from, NUMBERS, MPI_INT, left(), 6, comm, &request));
    MPI(MPI_Ssend(mine, 1, every, right(), 6, comm));
    MPI(MPI_Wait(&request, MPI_STATUS_IGNORE));
    for (int i = 0; i < NUMBERS; i++)
        EQUAL(i % 7 == 0 ? -1 : i * ranks + (left() + ranks - 1) % ranks, from[i]);
    MPI(MPI_Type_free(&every));
    together();
}

/* ---- collectives --------------------------------------------------------------------------------- */

static long *numbers, *results; /* [ranks][ranks], in the same pages for all */

static long number(int rank, int i)
{
    return 1000L * rank + i;
}

/* Each rank writes its row of `numbers`, and nobody waits for the others. */
static void rows(void)
{
    together();
    for (int i = 0; i < ranks; i++) {
        numbers[me * ranks + i] = number(me, i);
        results[me * ranks + i] = -1;
    }
}

static long sum_of(int i, int from, int to)
{
    long sum = 0;
    for (int r = from; r < to; r++) sum += number(r, i);
    return sum;
}

static void check_row(const long *row, int first_rank, bool transposed)
{
    for (int i = 0; i < ranks; i++)
        EQUAL(transposed ? number(i, first_rank) : number(first_rank, i), row[i]);
}

static void reductions(void)
{
    long *mine = numbers + me * ranks, *result = results + me * ranks;
    int counts[64];
    for (int i = 0; i < ranks; i++) counts[i] = 1;
    rows();
    MPI(MPI_Allreduce(mine, result, ranks, MPI_LONG, MPI_SUM, comm));
    for (int i = 0; i < ranks; i++) EQUAL(sum_of(i, 0, ranks), result[i]);
    rows();
    MPI(MPI_Allreduce(MPI_IN_PLACE, mine, ranks, MPI_LONG, MPI_SUM, comm));
    for (int i = 0; i < ranks; i++) EQUAL(sum_of(i, 0, ranks), mine[i]);
    rows();
    MPI(MPI_Reduce(mine, me == ranks - 1 ? result : NULL, ranks, MPI_LONG, MPI_SUM, ranks - 1,
                   comm));
    for (int i = 0; me == ranks - 1 && i < ranks; i++) EQUAL(sum_of(i, 0, ranks), result[i]);
    rows();
    MPI(MPI_Scan(mine, result, ranks, MPI_LONG, MPI_SUM, comm));
    for (int i = 0; i < ranks; i++) EQUAL(sum_of(i, 0, me + 1), result[i]);
    rows();
    MPI(MPI_Exscan(mine, result, ranks, MPI_LONG, MPI_SUM, comm));
    for (int i = 0; i < ranks; i++) EQUAL(me == 0 ? -1 : sum_of(i, 0, me), result[i]);
    rows();
    MPI(MPI_Reduce_scatter_block(mine, result, 1, MPI_LONG, MPI_SUM, comm));
    EQUAL(sum_of(me, 0, ranks), result[0]);
    rows();
    MPI(MPI_Reduce_scatter(mine, result, counts, MPI_LONG, MPI_SUM, comm));
    EQUAL(sum_of(me, 0, ranks), result[0]);
    rows();
    MPI(MPI_Reduce_scatter(MPI_IN_PLACE, mine, counts, MPI_LONG, MPI_SUM, comm));
    EQUAL(sum_of(me, 0, ranks), mine[0]);
}

static void moves(void)
{
    long *mine = numbers + me * ranks, *result = results + me * ranks;
    int counts[64], displs[64];
    for (int i = 0; i < ranks; i++) {
        counts[i] = 1;
        displs[i] = ranks - 1 - i;
    }
    rows(); /* one buffer for all: the page is everybody's at once */
    together();
    MPI(MPI_Bcast(numbers, ranks, MPI_LONG, 0, comm));
    check_row(numbers, 0, false);
    rows();
    MPI(MPI_Gather(mine, 1, MPI_LONG, me == 0 ? result : NULL, 1, MPI_LONG, 0, comm));
    if (me == 0) check_row(result, 0, true);
    rows();
    MPI(MPI_Gatherv(mine, 1, MPI_LONG, result, counts, displs, MPI_LONG, 0, comm));
    for (int i = 0; me == 0 && i < ranks; i++) EQUAL(number(i, 0), result[ranks - 1 - i]);
    rows();
    MPI(MPI_Scatter(mine, 1, MPI_LONG, result, 1, MPI_LONG, 0, comm));
    EQUAL(number(0, me), result[0]);
    rows();
    MPI(MPI_Scatter(mine, 1, MPI_LONG, me == 0 ? MPI_IN_PLACE : (void *)result, 1, MPI_LONG, 0,
                    comm));
    EQUAL(me == 0 ? -1 : number(0, me), result[0]);
    rows();
    MPI(MPI_Scatterv(mine, counts, displs, MPI_LONG, result, 1, MPI_LONG, 0, comm));
    EQUAL(number(0, ranks - 1 - me), result[0]);
    rows();
    MPI(MPI_Allgather(mine, 1, MPI_LONG, result, 1, MPI_LONG, comm));
    check_row(result, 0, true);
    rows();
    result[me] = number(me, 0);
    MPI(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, result, 1, MPI_LONG, comm));
    check_row(result, 0, true);
    rows();
    MPI(MPI_Allgatherv(mine, 1, MPI_LONG, result, counts, displs, MPI_LONG, comm));
    for (int i = 0; i < ranks; i++) EQUAL(number(i, 0), result[ranks - 1 - i]);
    rows();
    MPI(MPI_Alltoall(mine, 1, MPI_LONG, result, 1, MPI_LONG, comm));
    check_row(result, me, true);
    rows();
    MPI(MPI_Alltoallv(mine, counts, displs, MPI_LONG, result, counts, displs, MPI_LONG, comm));
    for (int i = 0; i < ranks; i++) EQUAL(number(i, ranks - 1 - me), result[ranks - 1 - i]);
    together();
}

/* ---- what lies in shared memory ------------------------------------------------------------------- */

static void contains(size_t bytes)
{
    char *block = byre_dsm_malloc(100);
    CHECK(block != NULL);
    EQUAL(1, byre_dsm_contains(region, 1));
    EQUAL(1, byre_dsm_contains(region + bytes - 1, 1));
    EQUAL(1, byre_dsm_contains(block, 100));
    EQUAL(0, byre_dsm_contains(region, 0));
    EQUAL(0, byre_dsm_contains(&block, sizeof block));
    EQUAL(0, byre_dsm_contains(NULL, 1));
    EXPECT(BYRE_OK, byre_dsm_free(block));
}

int main(void)
{
    EQUAL(0, byre_dsm_contains(&comm, sizeof comm));
    start();
    if (ranks > 64) return 77;
    size_t bytes = (size_t)ranks * 2 * MIB + MIB;
    void *at;
    EXPECT(BYRE_OK, byre_dsm_alloc(bytes, NULL, &at));
    region = at;
    numbers = at;
    results = numbers + ranks * ranks;
    MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
    contains(bytes);
    all_pairs();
    for (size_t i = 0; i < LENGTH(sizes); i++) both_ways(sizes[i]);
    nobody();
    many();
    interleaved();
    reductions();
    moves();
    MPI(MPI_Comm_free(&comm));
    EXPECT(BYRE_OK, byre_dsm_free(region));
    return finish();
}
