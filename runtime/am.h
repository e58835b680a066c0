/* SPDX-License-Identifier: BSD-3-Clause */
/* Active messages, as the parts use them. Public contract: byre_runtime.h. */
#ifndef BYRE__AM_H
#define BYRE__AM_H

#include <byre_runtime.h>
#include <stdint.h>

/* Handler ids of Byre's own parts follow those of users. */
enum {
    BYRE__AM_REPLY = BYRE_AM_IDS,
    BYRE__AM_CREDIT,
    BYRE__AM_HEARTBEAT,
    BYRE__AM_FAILURE,
    BYRE__AM_BARRIER,
    BYRE__AM_GOODBYE,
    BYRE__AM_MAILBOX,                      /* 8 ids */
    BYRE__AM_PARTS = BYRE__AM_MAILBOX + 8, /* dsm, rpc, sched from here */
    BYRE__AM_LAST = 255
};

/* As byre_am_register for any id. */
int byre__am_register(int id, byre_am_fn fn, byre_am_place_fn place, void *arg);

/* Called on the engine when a bulk send is complete (error: BYRE_OK or BYRE_EPEER). */
typedef void (*byre__am_done_fn)(int error, void *arg);

/* Send without ever blocking, from anywhere, handlers included: queued when there are no credits.
 * data is copied. bulk must stay until `done` is called (done may be NULL without bulk; it is
 * called on the engine or from inside this call, exactly once, and not when an error is returned).
 * Any id. Both in ordinary memory (paged.h). Returns BYRE_OK, BYRE_EPEER, BYRE_ENOMEM, BYRE_ERANK, BYRE_ERANGE. */
int byre__am_post(int rank, int id, const void *data, size_t bytes, const void *bulk,
                  size_t bulk_bytes, byre__am_done_fn done, void *arg);

/* byre_am_request for any id with a deadline: timeout_ms < 0 none; BYRE_ETIMEOUT. A reply that
 * comes later is dropped. Ordinary memory only. */
int byre__am_request(int rank, int id, const void *data, size_t bytes, void *reply, size_t room,
                     size_t *bytes_out, int timeout_ms);

#endif
