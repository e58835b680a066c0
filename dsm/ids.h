/* SPDX-License-Identifier: BSD-3-Clause */
/* The active messages of dsm, counted from BYRE__AM_PARTS: 0 ... 23 coherence (wire.h), 24 ... 31 heap and
 * report, 32 ... 47 synchronisation (sync.h). */
#ifndef BYRE__DSM_IDS_H
#define BYRE__DSM_IDS_H

#include "am.h"

enum {
    BYRE__DSM_COHERENCE = BYRE__AM_PARTS,
    BYRE__AM_DSM_FREE = BYRE__AM_PARTS + 24, /* heap.c: a block of the receiver's slice */
    BYRE__AM_DSM_REPORT,                     /* report_send.c: to rank 0 */
    BYRE__AM_DSM_REPORT_ASK,                 /* report_send.c: from rank 0 */
    BYRE__AM_DSM_SYNC = BYRE__AM_PARTS + 32
};

#endif
