/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre.h
 * All of Byre. The conventions that hold for every part:
 *
 * Errors     Functions that can fail return `int`: BYRE_OK (0) or a negative BYRE_E* of
 *            <byre_errors.h>. Outputs come last, are named `_out`, and are written only on success
 *            unless the function says otherwise; NULL means "not wanted" where the text says so.
 * Ownership  `create/destroy` allocate, `open/close` an OS resource, `get` borrows, `take`
 *            transfers. What the caller passes in stays the caller's.
 * Threads    @threads says from where a function may be called. "any" means any thread between
 *            byre_init and byre_finalize; handlers and signal handlers only where said.
 * Blocking   A blocking call drives communication while it waits, gives up the processor when
 *            cores are short, and never waits for a dead peer.
 * Collective A collective call is made by every rank, in the same order.
 */
#ifndef BYRE_H
#define BYRE_H
#include <byre_dsm.h>
#include <byre_rpc.h>
#include <byre_runtime.h>
#include <byre_sched.h>
#endif
