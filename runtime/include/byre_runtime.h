/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_runtime.h
 * The ground floor: start, messages, mailboxes, active messages, failure.
 *
 * A *rank* is a process, a *node* a machine (ranks with the same shared memory), a *port* an
 * address inside a rank. (rank, port) is the textbook's two-part address. See <byre.h> for the
 * conventions of all parts.
 */
#ifndef BYRE_RUNTIME_H
#define BYRE_RUNTIME_H

#include <byre_errors.h>
#include <byre_topology.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BYRE_ANY (-1) /**< any rank, where a source is asked for */

/** Where a message goes: a rank and a port there (0 <= port <= byre_port_max()). */
typedef struct byre_addr {
    int rank;
    int port;
} byre_addr_t;

/** What is known of a message that came. */
typedef struct byre_info {
    int source;   /**< rank that sent it */
    int port;     /**< port that it was sent to */
    size_t bytes; /**< its length; with BYRE_ETRUNC the length that a buffer must have */
} byre_info_t;

/* ---- start and finish ------------------------------------------------------------------- */

/**
 * Join the job. Collective. Starts MPI (MPI_THREAD_MULTIPLE) unless the application did, finds out
 * which ranks share a node, reads the machine with hwloc, starts this rank's service thread. A
 * program started without `mpirun` is a cluster of one. Blocks until all ranks have called it.
 * @return  BYRE_OK; BYRE_ESTATE already initialised, or finalized before; BYRE_ETHREADS the
 *          application started MPI with less than MPI_THREAD_MULTIPLE; BYRE_ENOMEM; BYRE_ESYSTEM;
 *          BYRE_EMPI; BYRE_EINVAL an environment variable of `byre env` has a bad value (BYRE_LOG
 *          names it). After an error nothing of Byre is left in the process.
 * @threads one thread, outside handlers
 */
int byre_init(void);

/**
 * Leave the job. Collective. Waits until every message has left that was sent without a request to
 * wait for (requests must have been waited for), stops the service thread, and finalizes MPI if byre_init started it. With a failed peer it does not wait
 * for that peer, and leaves MPI without its own (collective) end, which would hang.
 * @return  BYRE_OK; BYRE_ESTATE not initialised; BYRE_ECONTEXT called from a handler
 * @threads the thread that called byre_init
 */
int byre_finalize(void);

/**
 * Is the runtime up?
 * @return  1 between byre_init and byre_finalize, else 0
 * @threads any, also signal handlers
 */
int byre_initialized(void);

/**
 * This process's rank.
 * @return  0 ... byre_size() - 1; BYRE_ESTATE
 * @threads any, also handlers and signal handlers
 */
int byre_rank(void);

/**
 * How many ranks the job started with, dead ones included.
 * @return  at least 1; BYRE_ESTATE
 * @threads any, also handlers and signal handlers
 */
int byre_size(void);

/**
 * How many nodes the job has.
 * @return  at least 1; BYRE_ESTATE
 * @threads any, also handlers
 */
int byre_node_count(void);

/**
 * The node of a rank.
 * @param rank  0 ... byre_size() - 1
 * @return      0 ... byre_node_count() - 1; BYRE_ERANK; BYRE_ESTATE
 * @threads     any, also handlers
 */
int byre_node_of(int rank);

/**
 * The host name of a node.
 * @param node  0 ... byre_node_count() - 1
 * @return      a string that Byre owns until byre_finalize; NULL for a bad node or outside a job
 * @threads     any, also handlers
 */
const char *byre_node_name(int node);

/**
 * The highest port that a message can be sent to.
 * @return  a number of at least 32767; BYRE_ESTATE
 * @threads any
 */
int byre_port_max(void);

/**
 * Wait until every rank has come here. Collective. Blocks. Once a rank has failed there is no barrier
 * any more: the survivors agree by messages.
 * @return  BYRE_OK; BYRE_EPEER a rank has failed (one that failed in the middle may leave some ranks
 *          with BYRE_OK and others with BYRE_EPEER); BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads one thread of a rank at a time
 */
int byre_barrier(void);

/* ---- sending ------------------------------------------------------------------------------ */

typedef struct byre_request *byre_request_t; /**< an operation under way; NULL is "none" */
#define BYRE_REQUEST_NULL ((byre_request_t)0)

/**
 * Send, and return when the buffer may be used again. Messages from one thread to one address
 * arrive in the order sent.
 * @param to     rank and port
 * @param buf    `bytes` bytes; may be NULL when bytes is 0
 * @param bytes  any length, also above 2 GiB
 * @return       BYRE_OK; BYRE_ERANK; BYRE_EPORT; BYRE_EINVAL (NULL buffer); BYRE_EPEER the peer is
 *               dead, or died before it took the message; BYRE_ENOMEM no room for a copy of a buffer
 *               in shared memory; BYRE_EMPI; BYRE_ESTATE; BYRE_ECONTEXT from a handler: blocking sends,
 *               and any send from shared memory
 * @threads      any
 */
int byre_send(byre_addr_t to, const void *buf, size_t bytes);

/**
 * Send, and return when the receiver has begun to receive: the rendezvous of the textbook.
 * Parameters, errors and threads as byre_send.
 * @return   as byre_send
 * @threads  any
 */
int byre_send_sync(byre_addr_t to, const void *buf, size_t bytes);

/** How the end of a nonblocking send is told besides byre_test and byre_wait. */
typedef struct byre_notice {
    enum {
        BYRE_NOTICE_NONE = 0, /**< not at all */
        BYRE_NOTICE_CALLBACK, /**< `callback(error, arg)`, perhaps before the send returns, perhaps
                                   on another thread: may not block */
        BYRE_NOTICE_SIGNAL,   /**< `signal` is sent to the process, si_value.sival_ptr = arg */
        BYRE_NOTICE_EVENTFD   /**< 1 is added to `eventfd` */
    } kind;
    void (*callback)(int error, void *arg);
    void *arg;
    int signal;  /**< a signal number */
    int eventfd; /**< stays the caller's */
} byre_notice_t;

/**
 * Begin to send and return at once. The buffer may not be changed before the send is complete.
 * @param to, buf, bytes  as byre_send
 * @param notice   how to tell the end, or NULL. The notice is given exactly once, also for an
 *                 error, from the service thread or from a thread inside a Byre call
 * @param req_out  the request, to be given to byre_wait or byre_test; NULL when a notice is enough
 *                 (NULL without a notice is BYRE_EINVAL)
 * @return         as byre_send; BYRE_ENOMEM; BYRE_EINVAL a notice that makes no sense. With an
 *                 error there is no request and no notice.
 * @threads        any
 */
int byre_isend(byre_addr_t to, const void *buf, size_t bytes, const byre_notice_t *notice,
               byre_request_t *req_out);

/**
 * Send a copy: the buffer may be used again when the call returns, the message leaves when it can.
 * byre_finalize waits for it. A peer's death makes the copy vanish. While 256 copies are under way it
 * waits until one has left (not in handlers).
 * @param to, buf, bytes  as byre_send
 * @return   as byre_send; BYRE_ENOMEM no room for the copy
 * @threads  any
 */
int byre_isend_copy(byre_addr_t to, const void *buf, size_t bytes);

/**
 * Send copy-on-write: the bytes on the wire are those at the time of the call, and the buffer may be
 * used at once: the first access to a page of it before the message has left gets a copy of its own.
 * Any alignment; buffers and other data may share pages. Memory that cannot be set aside (shared or
 * file mappings, less than a page) is copied at once. The buffer must stay mapped until the message
 * has left: wait before free(). A system call that meets such a page fails with EFAULT; Byre's own
 * calls may be given any part of the buffer. Worth its price only for large buffers that are seldom
 * touched: see byre-bench p2p.
 * @param to, buf, bytes, notice, req_out  as byre_isend
 * @return   as byre_isend; BYRE_EINVAL unmapped memory, or the caller's own stack
 * @threads  any
 */
int byre_isend_cow(byre_addr_t to, const void *buf, size_t bytes, const byre_notice_t *notice,
                   byre_request_t *req_out);

/* ---- receiving ---------------------------------------------------------------------------- */

/**
 * Receive the next message for a port; blocks until there is one.
 * @param port      own port that is listened to
 * @param from      the rank it must come from, or BYRE_ANY
 * @param buf       room for `bytes` bytes; may be NULL when bytes is 0
 * @param bytes     the room
 * @param info_out  what came, or NULL; also written with BYRE_ETRUNC (bytes = needed room) and
 *                  BYRE_EPEER (source = the failed rank)
 * @return  BYRE_OK; BYRE_ETRUNC the message is longer than the buffer: it is kept whole, and the
 *          receive that begins next on this port gets it (receives under way
 *          may get what came behind it); BYRE_EPEER `from` is dead and has nothing left here,
 *          or, with BYRE_ANY, a rank has failed that byre_failures_ack has not acknowledged (what
 *          has arrived is delivered first); BYRE_ERANK; BYRE_EPORT; BYRE_EINVAL; BYRE_EBUSY the
 *          port has a pop-up handler; BYRE_ENOMEM; BYRE_ESTATE; BYRE_ECONTEXT from a handler
 * @threads any; several threads may receive on one port, each message goes to one of them
 */
int byre_recv(int port, int from, void *buf, size_t bytes, byre_info_t *info_out);

/**
 * Begin to receive and return at once. Receives on one port take messages in the order in which
 * the receives began.
 * @param port, from, buf, bytes  as byre_recv; the buffer belongs to Byre until completion
 * @param req_out  the request; byre_wait and byre_test return what byre_recv would
 * @return   BYRE_OK; BYRE_ERANK; BYRE_EPORT; BYRE_EINVAL; BYRE_EBUSY; BYRE_ENOMEM; BYRE_ESTATE;
 *           BYRE_ECONTEXT into shared memory from a handler
 * @threads  any
 */
int byre_irecv(int port, int from, void *buf, size_t bytes, byre_request_t *req_out);

/**
 * Is a message waiting? Does not block and takes nothing.
 * @param port, from  as byre_recv
 * @param info_out    the message that byre_recv would get, or NULL
 * @return  BYRE_OK there is one; BYRE_EAGAIN none yet; BYRE_EPEER, BYRE_ERANK, BYRE_EPORT,
 *          BYRE_EBUSY, BYRE_ESTATE as byre_recv
 * @threads any
 */
int byre_poll(int port, int from, byre_info_t *info_out);

/**
 * Take the first message that has arrived, of whatever length. Does not block.
 * @param port, from  as byre_recv
 * @param buf_out     the message in memory from malloc, the caller's to free(); never NULL on
 *                    success, also for an empty message
 * @param info_out    as byre_recv, or NULL
 * @return  BYRE_OK; BYRE_EAGAIN none yet; BYRE_ENOMEM (the message is kept); else as byre_poll
 * @threads any
 */
int byre_get_message(int port, int from, void **buf_out, byre_info_t *info_out);

/** A pop-up handler: runs on a thread of its own for each message. `msg` is the message (valid
 *  during the call), `info` tells of it, `arg` is what byre_port_popup was given. May block. */
typedef void (*byre_popup_fn)(void *msg, const byre_info_t *info, void *arg);

/**
 * Let each message for a port make a thread pop up that handles it (textbook: pop-up threads).
 * Threads are recycled from a pool of at most BYRE_POPUP_MAX; more messages wait their turn.
 * Messages that arrived earlier are handled too. After removal (fn NULL) the port can be received
 * from again; removal waits until running handlers of the port have ended.
 * @param port  own port
 * @param fn    the handler, or NULL to remove
 * @param arg   passed to the handler
 * @return   BYRE_OK; BYRE_EPORT; BYRE_EEXIST the port has one; BYRE_ENOTFOUND nothing to remove;
 *           BYRE_EBUSY a receive with a buffer of more than 4 KiB is under way on the port (smaller
 *           ones get their messages first); BYRE_ECONTEXT removal from the port's
 *           own handler; BYRE_ENOMEM; BYRE_ESTATE
 * @threads  any
 */
int byre_port_popup(int port, byre_popup_fn fn, void *arg);

/* ---- waiting ------------------------------------------------------------------------------ */

/**
 * Wait for a request to complete. The request is gone afterwards (*req = BYRE_REQUEST_NULL),
 * whatever is returned. A null request completes at once.
 * @param req       the request
 * @param info_out  for receives: what came; or NULL
 * @return   what the operation came to: as byre_send or byre_recv; BYRE_ECANCELED; BYRE_ECONTEXT from a
 *           handler
 * @threads  any; one thread per request
 */
int byre_wait(byre_request_t *req, byre_info_t *info_out);

/**
 * Has a request completed? Does not block.
 * @param req, info_out  as byre_wait
 * @return   BYRE_EAGAIN not yet (the request stays); BYRE_ECONTEXT a receive into shared memory has
 *           completed, which a handler cannot take (the request stays); else as byre_wait
 * @threads  any; one thread per request
 */
int byre_test(byre_request_t *req, byre_info_t *info_out);

/**
 * Wait until all of `n` requests have completed.
 * @param n            how many
 * @param reqs         n requests, null ones among them allowed; all null afterwards
 * @param errors_out   n results, or NULL
 * @param infos_out    n infos, or NULL
 * @return   BYRE_OK, or the first error in the order of the array
 * @threads  any
 */
int byre_wait_all(size_t n, byre_request_t *reqs, int *errors_out, byre_info_t *infos_out);

/**
 * Wait until one of `n` requests has completed.
 * @param n          how many
 * @param reqs       n requests; the one that completed becomes null
 * @param index_out  which; written with every result but BYRE_EINVAL
 * @param info_out   or NULL
 * @return   what that operation came to; BYRE_EINVAL all are null; BYRE_ENOMEM
 * @threads  any
 */
int byre_wait_any(size_t n, byre_request_t *reqs, size_t *index_out, byre_info_t *info_out);

/**
 * Have all completed? Takes none unless all have.
 * Parameters as byre_wait_all.
 * @return   BYRE_EAGAIN not all yet; BYRE_ECONTEXT as byre_test; else as byre_wait_all
 * @threads  any
 */
int byre_test_all(size_t n, byre_request_t *reqs, int *errors_out, byre_info_t *infos_out);

/**
 * Has one completed? Parameters as byre_wait_any.
 * @return   BYRE_EAGAIN none yet; BYRE_ECONTEXT as byre_test; else as byre_wait_any
 * @threads  any
 */
int byre_test_any(size_t n, byre_request_t *reqs, size_t *index_out, byre_info_t *info_out);

/**
 * Give up a receive that has not got its message. The request must still be waited for: it ends
 * with BYRE_ECANCELED, or with its message if that was faster. Sends cannot be canceled.
 * @param req  a request of byre_irecv
 * @return     BYRE_OK; BYRE_EINVAL a null request or a send
 * @threads    any; one thread per request
 */
int byre_cancel(byre_request_t *req);

/* ---- active messages ---------------------------------------------------------------------- */

#define BYRE_AM_IDS 128     /**< handler ids for users: 0 ... BYRE_AM_IDS - 1 */
#define BYRE_AM_INLINE 4096 /**< most payload bytes that travel with the header */

/** An active message in its handler. Valid during the handler only. */
typedef struct byre_am {
    int source;        /**< rank that sent it */
    const void *data;  /**< inline payload, aligned to 16 bytes */
    size_t bytes;      /**< its length, 0 ... BYRE_AM_INLINE */
    void *bulk;        /**< where the bulk payload lies, or NULL */
    size_t bulk_bytes; /**< its length */
    uint64_t call;     /**< nonzero: the sender waits for byre_am_reply */
} byre_am_t;

/** Handles an active message, on the engine: short, must not block, may send active messages and
 *  reply. Handlers of one rank run one at a time. */
typedef void (*byre_am_fn)(const byre_am_t *am, void *arg);

/** Names the place for a bulk payload before it is received, `am->bulk_bytes` long; NULL refuses
 *  it: the payload is dropped and the handler is called with bulk == NULL. */
typedef void *(*byre_am_place_fn)(const byre_am_t *am, void *arg);

/**
 * Register a handler. Local; every rank that is sent the id must have registered it before, for
 * instance before a byre_barrier. A message for an id without handler is answered with
 * BYRE_ENOTFOUND (request) or counted in `am_unknown` and logged (send).
 * @param id     0 ... BYRE_AM_IDS - 1
 * @param fn     the handler, or NULL to remove it
 * @param place  where bulk goes; NULL: into memory that is freed after the handler
 * @param arg    passed to both
 * @return   BYRE_OK; BYRE_ERANGE id; BYRE_EEXIST; BYRE_ENOTFOUND nothing to remove; BYRE_ESTATE
 * @threads  any
 */
int byre_am_register(int id, byre_am_fn fn, byre_am_place_fn place, void *arg);

/**
 * Send an active message. From one thread to one rank they are handled in the order sent. Returns
 * when `data` and `bulk` may be used again; outside handlers it may wait for flow control.
 * @param rank        destination, own rank allowed
 * @param id          handler there
 * @param data,bytes  inline payload, at most BYRE_AM_INLINE bytes
 * @param bulk,bulk_bytes  bulk payload of any length, delivered straight to its place; or NULL, 0.
 *                    Not from handlers.
 * @return   BYRE_OK; BYRE_ERANK; BYRE_ERANGE id or too many bytes; BYRE_EINVAL; BYRE_EPEER;
 *           BYRE_ENOMEM; BYRE_ECONTEXT bulk, or data in shared memory, from a handler; BYRE_ESTATE
 * @threads  any, also handlers
 */
int byre_am_send(int rank, int id, const void *data, size_t bytes, const void *bulk,
                 size_t bulk_bytes);

/**
 * Send an active message and wait for the handler's byre_am_reply.
 * @param rank, id, data, bytes  as byre_am_send
 * @param reply      room for the reply's bytes; may be NULL when room is 0
 * @param room       its size
 * @param bytes_out  the reply's length, or NULL; written with BYRE_ETRUNC too
 * @return   BYRE_OK; BYRE_ETRUNC the reply did not fit: the first `room` bytes are there;
 *           BYRE_ENOTFOUND no such handler there; BYRE_EPEER; BYRE_ECONTEXT from a handler; else as
 *           byre_am_send
 * @threads  any
 */
int byre_am_request(int rank, int id, const void *data, size_t bytes, void *reply, size_t room,
                    size_t *bytes_out);

/**
 * Answer a request. At most once per request; the answer may come after the handler has returned
 * (keep am->source and am->call, e.g. in a copy of *am) and from any thread.
 * @param am          the request, or a copy of it
 * @param data,bytes  the reply, at most BYRE_AM_INLINE bytes
 * @return   BYRE_OK; BYRE_EINVAL am->call is 0; BYRE_ERANGE; BYRE_EPEER; BYRE_ENOMEM; BYRE_ESTATE;
 *           BYRE_ECONTEXT data in shared memory, from a handler
 * @threads  any, also handlers
 */
int byre_am_reply(const byre_am_t *am, const void *data, size_t bytes);

/* ---- mailboxes ---------------------------------------------------------------------------- */

/** What a full mailbox does with one more message. */
typedef enum byre_overflow {
    BYRE_OVERFLOW_BLOCK,      /**< the sender waits */
    BYRE_OVERFLOW_REFUSE,     /**< the sender gets BYRE_EAGAIN */
    BYRE_OVERFLOW_DROP_OLDEST /**< the oldest message of the lowest priority makes room; a new one of
                                   lower priority than all others is dropped itself (BYRE_EAGAIN) */
} byre_overflow_t;

#define BYRE_RIGHT_SEND 1u    /**< may send to the mailbox */
#define BYRE_RIGHT_RECEIVE 2u /**< may receive from it; copies work until one of them is moved */

/** A right to a mailbox: plain data that may travel in a message. Unforgeable by accident: a
 *  64-bit key that the owner checks. */
typedef struct byre_right {
    int owner;       /**< rank that keeps the mailbox */
    uint32_t id;     /**< which one there */
    uint32_t rights; /**< BYRE_RIGHT_* */
    uint64_t key;
} byre_right_t;

/**
 * Create a mailbox: a bounded queue kept by this rank.
 * @param capacity     most messages in it, at least 1
 * @param max_bytes    longest message, at most 1 GiB
 * @param policy       what happens when it is full
 * @param receive_out  the right to receive (and to destroy)
 * @param send_out     the right to send, may be copied and given away freely
 * @return   BYRE_OK; BYRE_EINVAL; BYRE_ENOMEM; BYRE_ESYSTEM; BYRE_ECONTEXT; BYRE_ESTATE
 * @threads  any
 */
int byre_mailbox_create(size_t capacity, size_t max_bytes, byre_overflow_t policy,
                        byre_right_t *receive_out, byre_right_t *send_out);

/**
 * Destroy a mailbox. Queued messages are lost; waiting senders and receivers get BYRE_ECLOSED.
 * @param receive  the receive right, held by its owner or another rank
 * @return   BYRE_OK; BYRE_ERIGHT; BYRE_ECLOSED destroyed before; BYRE_EPEER; BYRE_EINVAL;
 *           BYRE_ECONTEXT; BYRE_ESTATE
 * @threads  any
 */
int byre_mailbox_destroy(const byre_right_t *receive);

/**
 * Put a message into a mailbox. Returns when the mailbox has it.
 * @param to          a send right
 * @param buf, bytes  the message
 * @param priority    0 (lowest) ... 7 (highest): higher ones are received first, equal ones in order
 * @return   BYRE_OK; BYRE_EAGAIN full and the policy is refuse, or drop-oldest and all that is
 *           queued has a higher priority; BYRE_ERANGE too long or bad
 *           priority; BYRE_ERIGHT; BYRE_ECLOSED; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM;
 *           BYRE_ECONTEXT from a handler; BYRE_ESTATE
 * @threads  any
 */
int byre_mailbox_send(const byre_right_t *to, const void *buf, size_t bytes, int priority);

/**
 * Take the first message of the highest priority out of a mailbox.
 * @param from        the receive right
 * @param buf, room   where to; a message that is longer stays (BYRE_ETRUNC)
 * @param timeout_ms  < 0 waits for ever, 0 does not wait
 * @param info_out    source rank, bytes (with BYRE_ETRUNC too); port is the priority; or NULL
 * @return   BYRE_OK; BYRE_EAGAIN empty (timeout 0); BYRE_ETIMEOUT; BYRE_ETRUNC; BYRE_ERIGHT the
 *           right is not held (any more); BYRE_ECLOSED; BYRE_EPEER; BYRE_EINVAL; BYRE_ENOMEM;
 *           BYRE_ECONTEXT; BYRE_ESTATE
 * @threads  any
 */
int byre_mailbox_recv(const byre_right_t *from, void *buf, size_t room, int timeout_ms,
                      byre_info_t *info_out);

/**
 * Make a receive right ready to be handed over in a message: the old right stops working, the
 * new one, in *moved_out, works for whoever has it. (A send right is simply copied.)
 * @param receive    the receive right
 * @param moved_out  its successor
 * @return   BYRE_OK; BYRE_ERIGHT; BYRE_ECLOSED; BYRE_EPEER; BYRE_EINVAL; BYRE_ESYSTEM;
 *           BYRE_ECONTEXT; BYRE_ESTATE
 * @threads  any
 */
int byre_right_move(const byre_right_t *receive, byre_right_t *moved_out);

/* ---- failure ------------------------------------------------------------------------------ */

/**
 * Is a rank known to be dead?
 * @param rank  0 ... byre_size() - 1
 * @return      1 dead, 0 not known to be; BYRE_ERANK; BYRE_ESTATE
 * @threads     any, also handlers
 */
int byre_peer_failed(int rank);

/** Told of a failed rank, on the engine: may not block. */
typedef void (*byre_failure_fn)(int rank, void *arg);

/**
 * Be told of every rank that fails, once each, also of those that failed before the call.
 * A rank that is killed is known to be dead everywhere within the bound of
 * byre_failure_bound_ms().
 * @param fn, arg  the handler (at most 16 of them)
 * @return   BYRE_OK; BYRE_EINVAL; BYRE_ENOMEM too many handlers; BYRE_ESTATE
 * @threads  any
 */
int byre_on_peer_failure(byre_failure_fn fn, void *arg);

/**
 * The longest time from a rank's death until every living rank knows of it, in milliseconds,
 * provided that living ranks get a processor and the network delivers within a heartbeat period.
 * @return   milliseconds; BYRE_ESTATE
 * @threads  any
 */
int byre_failure_bound_ms(void);

/**
 * Acknowledge all failures known so far: receives from BYRE_ANY wait again.
 * @return   how many ranks are known to be dead; BYRE_ESTATE
 * @threads  any
 */
int byre_failures_ack(void);

/* ---- counters ----------------------------------------------------------------------------- */

/**
 * Read one of the runtime's counters (names: `byre env --counters`).
 * @param name       such as "msg_sent"
 * @param value_out  its value since byre_init
 * @return   BYRE_OK; BYRE_ENOTFOUND; BYRE_EINVAL; BYRE_ESTATE
 * @threads  any
 */
int byre_counter_get(const char *name, uint64_t *value_out);

#ifdef __cplusplus
}
#endif
#endif
