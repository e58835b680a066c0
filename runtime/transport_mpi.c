/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open MPI as the carrier. One duplicated communicator per channel, so that Byre's traffic never
 * meets the application's. Only nonblocking calls after the start: a thread parked in a blocking
 * MPI call slows every other one down.
 *
 * Calls go to the names PMPI_*: what stands between the application and MPI (libbyre_pmpi, a profiler) is
 * for the application's calls, and does not see Byre's. But it must hear of MPI's start and end.
 */
#include "fault.h"
#include "log.h"
#include "stage.h"
#include "transport.h"

#include <byre_errors.h>
#include <dlfcn.h>
#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    MPI_Comm channel[BYRE__CHANNELS];
    MPI_Comm node;
    MPI_Request done;        /* what Open MPI returns for a send that is complete at once */
    MPI_Datatype stage_type; /* BYRE__STAGE_BYTES */
    bool started_mpi;        /* by us, so it is ours to finalize */
} mpi;

static int mpi_error(const char *what, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    (void)PMPI_Error_string(code, text, &length);
    byre__error("%s: %s", what, text);
    return BYRE_EMPI;
}

/* MPI counts with an int. More bytes than that travel as one element of a type of their own:
 * blocks of 1 GiB and a rest. */
static int big_type(size_t bytes, MPI_Datatype *type_out)
{
    const size_t block = (size_t)1 << 30;
    MPI_Datatype parts[2] = { MPI_DATATYPE_NULL, MPI_BYTE };
    int lengths[2] = { (int)(bytes / block), (int)(bytes % block) };
    MPI_Aint offsets[2] = { 0, (MPI_Aint)(bytes - bytes % block) };
    int code = PMPI_Type_contiguous((int)block, MPI_BYTE, &parts[0]);
    if (code == MPI_SUCCESS) {
        code = PMPI_Type_create_struct(2, lengths, offsets, parts, type_out);
        (void)PMPI_Type_free(&parts[0]);
    }
    if (code == MPI_SUCCESS) code = PMPI_Type_commit(type_out);
    return code;
}

bool byre__transport_mpi_wanted(void)
{
    static const char *const launched[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK" };
    int up = 0, over = 0;
    (void)PMPI_Initialized(&up);
    (void)PMPI_Finalized(&over);
    if (up && !over) return true;
    for (size_t i = 0; i < sizeof launched / sizeof launched[0]; i++)
        if (getenv(launched[i]) != NULL) return true;
    return false;
}

static int start_mpi(void)
{
    int up = 0, level = 0;
    (void)PMPI_Initialized(&up);
    if (up) {
        (void)PMPI_Query_thread(&level);
    } else {
        int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level);
        if (code != MPI_SUCCESS) return mpi_error("MPI_Init_thread", code);
        mpi.started_mpi = true;
    }
    if (level >= MPI_THREAD_MULTIPLE) return BYRE_OK;
    byre__error("MPI was started without MPI_THREAD_MULTIPLE: call byre_init first, or ask "
                "MPI_Init_thread for MPI_THREAD_MULTIPLE");
    return BYRE_ETHREADS;
}

/* Without MPI_Finalize the shared memory file of Open MPI's vader transport stays behind: ours, and
 * that of the dead. The names are Open MPI 4's. */
static void remove_segment(int local_rank)
{
    const char *job = getenv("OMPI_MCA_ess_base_jobid");
    const char *directory = getenv("OMPI_MCA_btl_vader_backing_directory");
    char host[65] = "", name[512];
    if (job == NULL || gethostname(host, sizeof host - 1) != 0) return;
    (void)snprintf(name, sizeof name, "%s/vader_segment.%s.%u.%lx.%d",
                   directory != NULL ? directory : "/dev/shm", host, (unsigned)geteuid(),
                   strtoul(job, NULL, 10), local_rank);
    (void)unlink(name);
}

/* MPI_Finalize would wait for the dead. But a rank that ends without a word makes mpirun end the
 * whole job, other survivors included: so say goodbye to the launcher, which MPI_Finalize would have
 * done at its end, through the PMIx library that Open MPI has loaded. */
static void tell_launcher(void)
{
    void *pmix = dlopen("libpmix.so.2", RTLD_LAZY | RTLD_NOLOAD);
    if (pmix == NULL) return;
    int (*finalize)(const void *, size_t);
    *(void **)&finalize = dlsym(pmix, "PMIx_Finalize");
    if (finalize != NULL) (void)finalize(NULL, 0);
    (void)dlclose(pmix);
}

static void release(bool peers_failed)
{
    if (peers_failed && mpi.started_mpi) tell_launcher();
    if (!peers_failed) {
        if (mpi.stage_type != MPI_DATATYPE_NULL) (void)PMPI_Type_free(&mpi.stage_type);
        for (int i = 0; i < BYRE__CHANNELS; i++)
            if (mpi.channel[i] != MPI_COMM_NULL) (void)PMPI_Comm_free(&mpi.channel[i]);
        if (mpi.node != MPI_COMM_NULL) (void)PMPI_Comm_free(&mpi.node);
        if (mpi.started_mpi) (void)MPI_Finalize();
    }
    mpi.started_mpi = false;
}

/* A send to nobody is complete at once, and so tells what such a request looks like: if two of them
 * are the same object, every one is. */
static int learn_done(void)
{
    MPI_Request other = MPI_REQUEST_NULL;
    int code = PMPI_Isend(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, mpi.channel[0], &mpi.done);
    if (code == MPI_SUCCESS)
        code = PMPI_Isend(NULL, 0, MPI_BYTE, MPI_PROC_NULL, 0, mpi.channel[0], &other);
    if (code == MPI_SUCCESS && mpi.done != other) {
        (void)PMPI_Request_free(&mpi.done);
        (void)PMPI_Request_free(&other);
        mpi.done = MPI_REQUEST_NULL; /* no send looks like this */
    }
    return code;
}

/* Open MPI opens a TCP connection when two ranks first talk. When both begin at once, or several threads
 * of a rank, this may go wrong (4.1.4 was seen to drop a peer's connection because it "knew no IP" of it
 * yet, and to make no other). So of every pair the lower rank talks first, once, before there are
 * threads. */
static int connect_everybody(MPI_Comm comm)
{
    enum { MOST = 1024 }; /* in larger jobs it would take too long, and too many descriptors */
    int rank, size, code = MPI_SUCCESS;
    (void)PMPI_Comm_rank(comm, &rank);
    (void)PMPI_Comm_size(comm, &size);
    for (int distance = 1; distance < size && size <= MOST && code == MPI_SUCCESS; distance++) {
        int above = rank + distance, below = rank - distance;
        if (above < size) code = PMPI_Send(NULL, 0, MPI_BYTE, above, 0, comm);
        if (below >= 0 && code == MPI_SUCCESS)
            code = PMPI_Recv(NULL, 0, MPI_BYTE, below, 0, comm, MPI_STATUS_IGNORE);
    }
    return code;
}

static int start(int *rank_out, int *size_out)
{
    for (int i = 0; i < BYRE__CHANNELS; i++) mpi.channel[i] = MPI_COMM_NULL;
    mpi.node = MPI_COMM_NULL;
    mpi.stage_type = MPI_DATATYPE_NULL;
    int error = start_mpi();
    if (error != BYRE_OK) return error;
    /* An application that started MPI has its own messages on this communicator. */
    int code = mpi.started_mpi ? connect_everybody(MPI_COMM_WORLD) : MPI_SUCCESS;
    for (int i = 0; i < BYRE__CHANNELS && code == MPI_SUCCESS; i++) {
        code = PMPI_Comm_dup(MPI_COMM_WORLD, &mpi.channel[i]);
        if (code == MPI_SUCCESS) code = PMPI_Comm_set_errhandler(mpi.channel[i], MPI_ERRORS_RETURN);
    }
    if (code == MPI_SUCCESS)
        code =
            PMPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &mpi.node);
    if (code != MPI_SUCCESS) {
        error = mpi_error("starting MPI", code);
        release(false);
        return error;
    }
    (void)PMPI_Comm_rank(MPI_COMM_WORLD, rank_out);
    (void)PMPI_Comm_size(MPI_COMM_WORLD, size_out);
    code = learn_done();
    if (code == MPI_SUCCESS) code = big_type(BYRE__STAGE_BYTES, &mpi.stage_type);
    if (code != MPI_SUCCESS) {
        error = mpi_error("MPI_Type_commit", code);
        release(false);
        return error;
    }
    int *bound, found = 0;
    (void)PMPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &bound, &found);
    byre__transport_mpi.max_tag = found ? *bound : 32767;
    return BYRE_OK;
}

static int allgather(const void *mine, void *all, size_t bytes)
{
    int code = PMPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE,
                              mpi.channel[BYRE__CHANNEL_AM]);
    return code == MPI_SUCCESS ? BYRE_OK : mpi_error("MPI_Allgather", code);
}

static int node_leader(int *leader_out)
{
    int rank;
    (void)PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int code = PMPI_Allreduce(&rank, leader_out, 1, MPI_INT, MPI_MIN, mpi.node);
    return code == MPI_SUCCESS ? BYRE_OK : mpi_error("MPI_Allreduce", code);
}

static int isend(byre__channel_t channel, int to, int tag, const void *buf, size_t bytes, bool sync,
                 byre__treq_t *req_out)
{
    MPI_Request request;
    MPI_Datatype type = MPI_BYTE;
    int count = (int)bytes;
    if (__builtin_expect(bytes > INT_MAX, 0)) {
        int code = big_type(bytes, &type);
        if (code != MPI_SUCCESS) return mpi_error("MPI_Type_create_struct", code);
        count = 1;
    }
    byre__inside_enter();
    int code = sync ? PMPI_Issend(buf, count, type, to, tag, mpi.channel[channel], &request)
                    : PMPI_Isend(buf, count, type, to, tag, mpi.channel[channel], &request);
    byre__inside_leave();
    if (type != MPI_BYTE) (void)PMPI_Type_free(&type);
    if (__builtin_expect(code != MPI_SUCCESS, 0)) return mpi_error("MPI_Isend", code);
    req_out->handle = request == mpi.done ? NULL : request;
    return BYRE_OK;
}

static int irecv(byre__channel_t channel, int from, int tag, void *buf, size_t bytes,
                 byre__treq_t *req_out)
{
    MPI_Request request;
    MPI_Datatype type = MPI_BYTE;
    int count = (int)bytes;
    if (bytes == BYRE__STAGE_BYTES) {
        type = mpi.stage_type;
        count = 1;
    } else if (__builtin_expect(bytes > INT_MAX, 0)) {
        int code = big_type(bytes, &type);
        if (code != MPI_SUCCESS) return mpi_error("MPI_Type_create_struct", code);
        count = 1;
    }
    int source = from == BYRE__ANY_SOURCE ? MPI_ANY_SOURCE : from;
    byre__inside_enter();
    if (tag == BYRE__ANY_TAG) tag = MPI_ANY_TAG;
    int code = PMPI_Irecv(buf, count, type, source, tag, mpi.channel[channel], &request);
    byre__inside_leave();
    if (type != MPI_BYTE && type != mpi.stage_type) (void)PMPI_Type_free(&type);
    if (__builtin_expect(code != MPI_SUCCESS, 0)) return mpi_error("MPI_Irecv", code);
    req_out->handle = request;
    return BYRE_OK;
}

static void fill_status(const MPI_Status *from, int code, byre__tstatus_t *status_out)
{
    status_out->source = from->MPI_SOURCE;
    status_out->tag = from->MPI_TAG;
    status_out->bytes = from->_ucount; /* Open MPI: bytes, also above 2 GiB, without a call */
    status_out->error = BYRE_OK;
    if (__builtin_expect(code == MPI_SUCCESS, 1)) return;
    int class = MPI_ERR_OTHER;
    (void)PMPI_Error_class(code, &class);
    status_out->error = class == MPI_ERR_TRUNCATE ? BYRE_ETRUNC : mpi_error("MPI_Test", code);
}

static bool test(byre__treq_t *req, byre__tstatus_t *status_out)
{
    if (req->handle == NULL) return true;
    MPI_Request request = req->handle;
    MPI_Status status;
    int done = 0;
    byre__inside_enter();
    int code = PMPI_Test(&request, &done, status_out == NULL ? MPI_STATUS_IGNORE : &status);
    byre__inside_leave();
    if (__builtin_expect(!done && code == MPI_SUCCESS, 1)) return false;
    req->handle = NULL;
    if (status_out == NULL) return true;
    fill_status(&status, code, status_out);
    if (__builtin_expect(status._cancelled, 0)) status_out->error = BYRE_ECANCELED;
    return true;
}

static int test_any(byre__treq_t *const *reqs, int count, byre__tstatus_t *status_out)
{
    MPI_Request requests[BYRE__TEST_MOST];
    MPI_Status status;
    int done = 0, index = MPI_UNDEFINED;
    for (int i = 0; i < count; i++) requests[i] = reqs[i]->handle;
    byre__inside_enter();
    int code = PMPI_Testany(count, requests, &index, &done, &status);
    byre__inside_leave();
    if (!done || index == MPI_UNDEFINED) return -1;
    reqs[index]->handle = NULL;
    fill_status(&status, code, status_out);
    if (status._cancelled) status_out->error = BYRE_ECANCELED;
    return index;
}

static void cancel(byre__treq_t *req)
{
    MPI_Request request = req->handle;
    byre__inside_enter();
    (void)PMPI_Cancel(&request);
    byre__inside_leave();
}

static bool probe(byre__channel_t channel, int from, int tag, byre__tstatus_t *status_out)
{
    MPI_Status status;
    int found = 0;
    int source = from == BYRE__ANY_SOURCE ? MPI_ANY_SOURCE : from;
    byre__inside_enter();
    int code = PMPI_Iprobe(source, tag, mpi.channel[channel], &found, &status);
    byre__inside_leave();
    if (code != MPI_SUCCESS || !found) return false;
    fill_status(&status, MPI_SUCCESS, status_out);
    return true;
}

static bool take(byre__channel_t channel, int from, int tag, byre__tmsg_t *msg_out,
                 byre__tstatus_t *status_out)
{
    MPI_Status status;
    MPI_Message message;
    int found = 0;
    int source = from == BYRE__ANY_SOURCE ? MPI_ANY_SOURCE : from;
    byre__inside_enter();
    int code = PMPI_Improbe(source, tag, mpi.channel[channel], &found, &message, &status);
    byre__inside_leave();
    if (code != MPI_SUCCESS || !found) return false;
    fill_status(&status, MPI_SUCCESS, status_out);
    msg_out->handle = message;
    return true;
}

static int receive(byre__tmsg_t *msg, void *buf, size_t bytes, byre__treq_t *req_out)
{
    MPI_Request request;
    MPI_Message message = msg->handle;
    MPI_Datatype type = MPI_BYTE;
    int count = (int)bytes;
    if (__builtin_expect(bytes > INT_MAX, 0)) {
        int code = big_type(bytes, &type);
        if (code != MPI_SUCCESS) return mpi_error("MPI_Type_create_struct", code);
        count = 1;
    }
    byre__inside_enter();
    int code = PMPI_Imrecv(buf, count, type, &message, &request);
    byre__inside_leave();
    if (type != MPI_BYTE) (void)PMPI_Type_free(&type);
    if (code != MPI_SUCCESS) return mpi_error("MPI_Imrecv", code);
    req_out->handle = request;
    return BYRE_OK;
}

byre__transport_t byre__transport_mpi = {
    .name = "mpi",
    .start = start,
    .stop = release,
    .sweep = remove_segment,
    .max_tag = 32767,
    .allgather = allgather,
    .node_leader = node_leader,
    .isend = isend,
    .irecv = irecv,
    .test = test,
    .test_any = test_any,
    .cancel = cancel,
    .probe = probe,
    .take = take,
    .receive = receive,
};
