/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_rpc.h
 * Procedures on other ranks. byre-rpcgen(1) turns an interface definition (byre_idl(5)) into a header, a
 * client stub with each procedure's own name and signature, and a server stub. byre_rpc(7) teaches the
 * semantics.
 *
 * A server exports an interface under a name; a client binds to the name; from then on it calls. What can
 * go wrong that cannot with a local call (the server dies, time is up) is told by byre_rpc_outcome, by a
 * callback of the binding, or by the procedure's own result ([comm_status]).
 */
#ifndef BYRE_RPC_H
#define BYRE_RPC_H

#include <byre_errors.h>
#include <byre_rpc_types.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- servers ------------------------------------------------------------------------------ */

/** Who runs a server's procedures. */
typedef enum byre_rpc_serving {
    BYRE_RPC_POPUP = 0, /**< a thread of a pool pops up for each call; may block */
    BYRE_RPC_ENGINE,    /**< on the engine, as handlers of active messages: short, must not block */
    BYRE_RPC_POLLED     /**< the application, in byre_rpc_serve */
} byre_rpc_serving_t;

/** How an interface is exported. All zero is a good default. */
typedef struct byre_rpc_export_attr {
    byre_rpc_serving_t serving;
    unsigned threads; /**< POPUP: most at once; 0 is 16 */
    unsigned
        queue; /**< calls that may wait for a thread, or for byre_rpc_serve; one more is refused with
                           BYRE_EAGAIN; 0 is 1024 */
} byre_rpc_export_attr_t;

typedef struct byre_rpc_server *byre_rpc_server_t; /**< an exported interface */

/**
 * Export an interface under a name: all ranks know it when the call returns. Several servers, on one rank
 * or on several, may have one name. Blocks.
 * @param interface  as generated
 * @param procs      the procedures, a generated struct; must stay
 * @param name       1 to 63 characters; NULL: the interface's own
 * @param attr       or NULL
 * @param server_out the server, to be given to byre_rpc_unexport
 * @return   BYRE_OK; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ENOTFOUND the interface has shared variables and there is
 *           no shared memory; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any
 */
int byre_rpc_export(const byre_rpc_interface_t *interface, const void *procs, const char *name,
                    const byre_rpc_export_attr_t *attr, byre_rpc_server_t *server_out);

/**
 * Take a server back. Calls that run are finished first; later ones get BYRE_ENOTFOUND. Blocks.
 * @param server  the server
 * @return   BYRE_OK; BYRE_EINVAL; BYRE_ESTATE; BYRE_ECONTEXT from a handler or from one of its own procedures
 * @threads  any
 */
int byre_rpc_unexport(byre_rpc_server_t server);

/**
 * Run calls of a server exported with BYRE_RPC_POLLED on this thread.
 * @param server      the server
 * @param most        how many calls at most; 0: as many as there are
 * @param timeout_ms  how long to wait for the first; 0: do not; -1: as long as it takes
 * @return   how many were run; 0 when time was up; BYRE_EINVAL; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads  any, several at once too
 */
int byre_rpc_serve(byre_rpc_server_t server, unsigned most, int timeout_ms);

/**
 * The rank whose call this thread is running.
 * @return   a rank; BYRE_ESTATE outside a procedure of a server
 * @threads  any
 */
int byre_rpc_caller(void);

/* ---- clients ------------------------------------------------------------------------------ */

/** Which of several servers under one name. */
typedef enum byre_rpc_pick {
    BYRE_RPC_ANY = 0,     /**< one on this rank or node if there is one, else any */
    BYRE_RPC_ROUND_ROBIN, /**< calls go round all of them */
    BYRE_RPC_RANK         /**< the one on `rank` */
} byre_rpc_pick_t;

/** What has become of a call. */
typedef struct byre_rpc_outcome {
    int error;        /**< BYRE_OK; BYRE_EPEER the server has died; BYRE_ETIMEOUT; BYRE_ECANCELED;
                            BYRE_ENOTFOUND not exported (any more), or no binding; BYRE_EAGAIN its queue is
                            full; BYRE_EPROTO versions or messages do not fit; BYRE_EINVAL an argument
                            breaks its declaration; BYRE_ENOMEM */
    int may_have_run; /**< nonzero: the procedure may have run, once (or more, if idempotent) */
    int rank;         /**< of the server, or -1 */
    const char *proc; /**< name of the procedure */
} byre_rpc_outcome_t;

/** Called on the calling thread when a call has failed, before the stub returns. */
typedef void (*byre_rpc_failed_fn)(const byre_rpc_outcome_t *outcome, void *arg);

/** How to bind. All zero is a good default. */
typedef struct byre_rpc_bind_attr {
    byre_rpc_pick_t pick;
    int rank;       /**< for BYRE_RPC_RANK */
    int wait_ms;    /**< wait so long for the name to appear; -1: as long as it takes */
    int timeout_ms; /**< of each call, unless the procedure has its own; 0: none */
    int rebind; /**< nonzero: after a server's death the next call goes to another one of the name */
    byre_rpc_failed_fn failed;
    void *arg; /**< passed to it */
} byre_rpc_bind_attr_t;

typedef struct byre_rpc_binding *byre_rpc_binding_t; /**< a client's way to a server */

/**
 * Bind to a server. The first binding of an interface is the one that its stubs use on all threads, until
 * byre_rpc_use says otherwise.
 * @param interface    as generated
 * @param name         as exported; NULL: the interface's own
 * @param attr         or NULL
 * @param binding_out  the binding, to be given to byre_rpc_unbind
 * @return   BYRE_OK; BYRE_ENOTFOUND no such name (in time); BYRE_EPROTO servers under this name have another
 *           interface or an older version; BYRE_ERANK; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT
 *           from a handler
 * @threads  any
 */
int byre_rpc_bind(const byre_rpc_interface_t *interface, const char *name,
                  const byre_rpc_bind_attr_t *attr, byre_rpc_binding_t *binding_out);

/**
 * Give a binding up. Calls under way on it must be over.
 * @param binding  the binding; NULL does nothing
 * @return   BYRE_OK; BYRE_EBUSY calls are under way; BYRE_ESTATE
 * @threads  any
 */
int byre_rpc_unbind(byre_rpc_binding_t binding);

/**
 * Let the stubs of the binding's interface use it on this thread.
 * @param interface  the interface
 * @param binding    one of its bindings; NULL: the first one again
 * @return   BYRE_OK; BYRE_EINVAL a binding of another interface
 * @threads  any
 */
int byre_rpc_use(const byre_rpc_interface_t *interface, byre_rpc_binding_t binding);

/**
 * What has become of this thread's latest call.
 * @param outcome_out  or NULL
 * @return   its error
 * @threads  any
 */
int byre_rpc_outcome(byre_rpc_outcome_t *outcome_out);

/**
 * Where a binding leads now.
 * @param binding  the binding
 * @return   the rank of its server; BYRE_ENOTFOUND it has none now; BYRE_EINVAL
 * @threads  any
 */
int byre_rpc_rank(byre_rpc_binding_t binding);

/* ---- calls that do not wait ----------------------------------------------------------------- */

typedef struct byre_rpc_future
    *byre_rpc_future_t; /**< a call under way; from the stub NAME_begin */

/**
 * Is a call over? Does not block. Its results are fetched by the stub NAME_end in any case.
 * @param future  the call
 * @return   BYRE_OK it is; BYRE_EAGAIN not yet; BYRE_EINVAL
 * @threads  any
 */
int byre_rpc_test(byre_rpc_future_t future);

/**
 * Give a call up: it ends with BYRE_ECANCELED unless its answer has come. The server may run it all the same.
 * The stub NAME_end must still be called.
 * @param future  the call; NULL: the call that another thread of this rank waits in cannot be named so,
 *                see byre_rpc_cancel_thread
 * @return   BYRE_OK; BYRE_EINVAL
 * @threads  any
 */
int byre_rpc_cancel(byre_rpc_future_t future);

/**
 * Give up the call that another thread waits in.
 * @param thread  a pthread_t of this process, as an integer
 * @return   BYRE_OK; BYRE_ENOTFOUND it waits in no call
 * @threads  any
 */
int byre_rpc_cancel_thread(uintptr_t thread);

/* ---- memory ------------------------------------------------------------------------------- */

/**
 * Memory for what a server's procedure hands back: nodes that it adds to a graph, strings and arrays that it
 * returns. In a procedure of a server it is the call's, and freed after the answer has left; elsewhere it is
 * malloc. So code runs the same when it is called locally.
 * @param bytes  how much
 * @return   aligned as malloc; NULL: no memory
 * @threads  any
 */
void *byre_rpc_alloc(size_t bytes);

/**
 * Free what a call returned to the client: strings, arrays, and nodes that the server allocated; it all comes
 * from malloc, so free() does as well.
 * @param memory  or NULL
 * @threads  any
 */
void byre_rpc_free(void *memory);

/* ---- for generated stubs ------------------------------------------------------------------- */

/**
 * Call a procedure, as client stubs do: marshal, wait, unmarshal into the caller's own objects. After an error
 * the result in the frame is zero and nothing else has changed, but for an array of bytes ([ref], size_is, the
 * only one) that was coming straight to its place.
 * @param interface  the interface
 * @param proc       its number
 * @param frame      arguments and result
 * @return   the outcome's error
 * @threads  any, not from handlers
 */
int byre_rpc_call(const byre_rpc_interface_t *interface, uint32_t proc, void *frame);

/**
 * Begin a call, as stubs NAME_begin do. The frame is copied; what it points to must stay.
 * @param interface, proc, frame  as byre_rpc_call
 * @param future_out  the call
 * @return   BYRE_OK, or the outcome's error: then there is no future
 * @threads  any, not from handlers
 */
int byre_rpc_begin(const byre_rpc_interface_t *interface, uint32_t proc, const void *frame,
                   byre_rpc_future_t *future_out);

/**
 * Wait for a call, fetch its results, end the future, as stubs NAME_end do.
 * @param future  the call
 * @param frame   receives results
 * @return   the outcome's error
 * @threads  any, not from handlers
 */
int byre_rpc_end(byre_rpc_future_t future, void *frame);

#ifdef __cplusplus
}
#endif
#endif
