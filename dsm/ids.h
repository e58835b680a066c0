/* SPDX-License-Identifier: BSD-3-Clause */
/* The active messages of dsm: BYRE__AM_PARTS + 0 ... 23 the page protocol, 24 ... 31 the heap and the
 * report, 32 ... 47 synchronisation. */
#ifndef BYRE__DSM_IDS_H
#define BYRE__DSM_IDS_H

#include "am.h"

enum {
    BYRE__DSM_COHERENCE = BYRE__AM_PARTS,    /* wire.h */
    BYRE__AM_DSM_FREE = BYRE__AM_PARTS + 24, /* heap.c: a block of the receiver's slice */
    BYRE__AM_DSM_REPORT,                     /* report_send.c: to rank 0 */
    BYRE__AM_DSM_REPORT_ASK,                 /* report_send.c: from rank 0 */
    BYRE__AM_DSM_SYNC = BYRE__AM_PARTS + 32  /* sync.h */
};

#endif
