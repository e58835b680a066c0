/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_errors.h
 * Every error that a Byre call returns, in one list.
 *
 * A call returns 0 (BYRE_OK) or one of these negative numbers. The scope says how far the damage
 * reaches: `call` - this call did nothing, the next may succeed; `peer` - nothing more can be done
 * with that rank; `job` - the runtime of this rank is unusable.
 */
#ifndef BYRE_ERRORS_H
#define BYRE_ERRORS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, number, scope, text) */
#define BYRE_ERRORS(X)                                                                  \
    X(BYRE_OK, 0, call, "success")                                                      \
    X(BYRE_EINVAL, -1, call, "an argument is not valid")                                \
    X(BYRE_ENOMEM, -2, call, "out of memory")                                           \
    X(BYRE_ERANGE, -3, call, "a number is outside its range")                           \
    X(BYRE_ERANK, -4, call, "no such rank in this job")                                 \
    X(BYRE_EPORT, -5, call, "no such port: see byre_port_max()")                        \
    X(BYRE_ETRUNC, -6, call, "the message is longer than the buffer; it was kept")      \
    X(BYRE_ESTATE, -7, call, "not between byre_init and byre_finalize")                 \
    X(BYRE_EPEER, -8, peer, "the peer has failed")                                      \
    X(BYRE_EAGAIN, -9, call, "not now: nothing there, or no room")                      \
    X(BYRE_EBUSY, -10, call, "in use")                                                  \
    X(BYRE_ECONTEXT, -11, call, "may not be called from a handler or from this thread") \
    X(BYRE_ENOTFOUND, -12, call, "no such object")                                      \
    X(BYRE_EEXIST, -13, call, "exists already")                                         \
    X(BYRE_ERIGHT, -14, call, "the caller does not hold the right for this")            \
    X(BYRE_ECLOSED, -15, call, "closed by its owner")                                   \
    X(BYRE_ECANCELED, -16, call, "canceled")                                            \
    X(BYRE_ETIMEOUT, -17, call, "timed out")                                            \
    X(BYRE_ESYSTEM, -18, call, "a system call failed; errno says why")                  \
    X(BYRE_EPROTO, -19, peer, "a peer sent what the protocol does not allow")           \
    X(BYRE_EMPI, -20, job, "Open MPI reported an error")                                \
    X(BYRE_ETHREADS, -21, job, "MPI was started without MPI_THREAD_MULTIPLE")

enum {
#define BYRE__X(name, number, scope, text) name = (number),
    BYRE_ERRORS(BYRE__X)
#undef BYRE__X
};

/**
 * The text of an error.
 * @param error  what a call returned
 * @return       a constant string, never NULL; "unknown error" for a number that is none of ours
 * @threads      any, also signal handlers
 */
const char *byre_strerror(int error);

/**
 * The name of an error, such as "BYRE_EPEER".
 * @param error  what a call returned
 * @return       a constant string, never NULL; "BYRE_E?" for a number that is none of ours
 * @threads      any, also signal handlers
 */
const char *byre_error_name(int error);

#ifdef __cplusplus
}
#endif
#endif
