/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file byre_dsm_sync.h
 * Synchronisation across ranks: locks, barriers, condition variables and the like.
 *
 * An object is a number that any rank may copy, keep in shared memory, and use; what there is to know of
 * it is at its *home* rank, and comes into being at first use. So making one takes no message.
 */
#ifndef BYRE_DSM_SYNC_H
#define BYRE_DSM_SYNC_H

#include <byre_errors.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
