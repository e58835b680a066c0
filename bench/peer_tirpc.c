/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of rpc.c through the stubs of rpcgen and libtirpc, over loopback TCP and over a Unix socket.
 *
 * The server is the peer's main thread: it runs what svc_run runs, until a call ends it, as svc_exit forgets
 * all connections. Nobody asks rpcbind, which need not be there: the server's addresses travel by MPI. The
 * client takes results where the caller has room for them, so neither side allocates more than the stubs do. */
#include "bench.h"

#if HAVE_TIRPC

#include "peer_tirpc.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

enum { MOST_FDS = 16 };

struct address {
    socklen_t bytes;
    struct sockaddr_storage at;
};

static struct pair *pair;
static CLIENT *clients[PEER_WIRES];
static SVCXPRT *listeners[PEER_WIRES];
static bool stopped;

static int made(const char *call, int result)
{
    if (result < 0) bench_die(call, strerror(errno));
    return result;
}

/* ---- the server ---------------------------------------------------------------------------------- */

void tirpc_bench_1(struct svc_req *request, SVCXPRT *transport); /* rpcgen does not declare it */

bool_t tirpc_null_1_svc(void *arg, void *result, struct svc_req *request)
{
    (void)arg, (void)result, (void)request;
    return TRUE;
}

bool_t tirpc_in_1_svc(tirpc_bytes *arg, void *result, struct svc_req *request)
{
    (void)arg, (void)result, (void)request;
    return TRUE;
}

bool_t tirpc_out_1_svc(u_int *arg, tirpc_bytes *result, struct svc_req *request)
{
    (void)request;
    *result = (tirpc_bytes){ *arg, pair->out };
    return TRUE;
}

bool_t tirpc_both_1_svc(tirpc_bytes *arg, tirpc_bytes *result, struct svc_req *request)
{
    (void)request;
    *result = *arg;
    return TRUE;
}

bool_t tirpc_stop_1_svc(void *arg, void *result, struct svc_req *request)
{
    (void)arg, (void)result, (void)request;
    stopped = true;
    return TRUE;
}

/* Results are the arguments', which are freed, or the pair's. */
int tirpc_bench_1_freeresult(SVCXPRT *transport, xdrproc_t type, caddr_t result)
{
    (void)transport, (void)type, (void)result;
    return 1;
}

static void handle(int milliseconds)
{
    struct pollfd fds[MOST_FDS];
    int count = svc_max_pollfd;

    if (count > MOST_FDS) bench_die("libtirpc", "more connections than were made");
    memcpy(fds, svc_pollfd, (size_t)count * sizeof *fds);
    int ready = poll(fds, (nfds_t)count, milliseconds);
    if (ready < 0 && errno != EINTR) bench_die("poll", strerror(errno));
    if (ready > 0) svc_getreq_poll(fds, ready);
}

void peer_tirpc_serve(void)
{
    for (stopped = false; !stopped;) handle(-1);
}

/* ---- the client ---------------------------------------------------------------------------------- */

static void check_call(enum clnt_stat status)
{
    if (__builtin_expect(status != RPC_SUCCESS, 0))
        bench_die("a call of libtirpc", clnt_sperrno(status));
}

void peer_tirpc_call(enum peer_wire wire, enum peer_proc proc)
{
    CLIENT *client = clients[wire];
    u_int bytes = (u_int)pair->bytes;
    tirpc_bytes out = { bytes, pair->out }, in = { 0, pair->in };

    switch (proc) {
    case PEER_NULL:
        check_call(tirpc_null_1(NULL, NULL, client));
        return;
    case PEER_IN:
        check_call(tirpc_in_1(&out, NULL, client));
        return;
    case PEER_OUT:
        check_call(tirpc_out_1(&bytes, &in, client));
        break;
    case PEER_BOTH:
        check_call(tirpc_both_1(&out, &in, client));
        break;
    }
    if (in.tirpc_bytes_len != bytes) bench_die("a call of libtirpc", "an answer of another length");
}

void peer_tirpc_stop(enum peer_wire wire)
{
    check_call(tirpc_stop_1(NULL, NULL, clients[wire]));
}

/* ---- connections --------------------------------------------------------------------------------- */

/* A Unix socket that is bound to no name gets one that is no file. */
static void bind_free(int fd, enum peer_wire wire)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    sa_family_t local = AF_UNIX;

    if (wire == PEER_TCP)
        made("bind", bind(fd, (struct sockaddr *)&in, sizeof in));
    else
        made("bind", bind(fd, (struct sockaddr *)&local, sizeof local));
}

static void open_server(enum peer_wire wire)
{
    struct address address = { .bytes = sizeof address.at };
    int fd =
        made("socket", socket(wire == PEER_TCP ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

    bind_free(fd, wire);
    made("listen", listen(fd, 1));
    made("getsockname", getsockname(fd, (struct sockaddr *)&address.at, &address.bytes));
    listeners[wire] = svc_vc_create(fd, 0, 0);
    if (!listeners[wire] ||
        !svc_reg(listeners[wire], TIRPC_BENCH, TIRPC_BENCH_1, tirpc_bench_1, NULL))
        bench_die("svc_vc_create", "libtirpc makes no server");
    MPI_Send(&address, sizeof address, MPI_BYTE, pair->peer, PORT_DATA, pair->comm);
}

static void open_client(enum peer_wire wire)
{
    struct address address;

    MPI_Recv(&address, sizeof address, MPI_BYTE, pair->peer, PORT_DATA, pair->comm,
             MPI_STATUS_IGNORE);
    struct netbuf to = { sizeof address.at, address.bytes, &address.at };
    int fd = made("socket", socket(address.at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    made("connect", connect(fd, (struct sockaddr *)&address.at, address.bytes));
    if (wire == PEER_TCP)
        made("TCP_NODELAY", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
    clients[wire] = clnt_vc_create(fd, &to, TIRPC_BENCH, TIRPC_BENCH_1, 0, 0);
    if (!clients[wire]) bench_die("clnt_vc_create", clnt_spcreateerror("libtirpc"));
    clnt_control(clients[wire], CLSET_FD_CLOSE, NULL);
}

void peer_tirpc_open(struct pair *between)
{
    pair = between;
    for (enum peer_wire wire = 0; wire < PEER_WIRES; wire++) {
        if (pair->leader)
            open_client(wire);
        else
            open_server(wire);
    }
}

void peer_tirpc_close(void)
{
    for (int i = 0; pair->leader && i < COUNT(clients); i++) clnt_destroy(clients[i]);
    check_mpi("MPI_Barrier", MPI_Barrier(pair->comm));
    if (pair->leader) return;
    handle(1000); /* it sees both ends closed, and closes its own */
    for (int i = 0; i < COUNT(listeners); i++) svc_destroy(listeners[i]);
}

#else

/* The command line has been refused. */
void peer_tirpc_open(struct pair *between)
{
    (void)between;
}

void peer_tirpc_close(void) {}

void peer_tirpc_serve(void) {}

void peer_tirpc_stop(enum peer_wire wire)
{
    (void)wire;
}

void peer_tirpc_call(enum peer_wire wire, enum peer_proc proc)
{
    (void)wire, (void)proc;
}

#endif
