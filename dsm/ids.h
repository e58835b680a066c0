/* SPDX-License-Identifier: BSD-3-Clause */
/* Which ids of active messages belong to which half of dsm. */
#ifndef BYRE__DSM_IDS_H
#define BYRE__DSM_IDS_H

#include "am.h"

enum {
    BYRE__AM_DSM_PAGES = BYRE__AM_PARTS,    /* 32 ids: the page protocol */
    BYRE__AM_DSM_SYNC = BYRE__AM_PARTS + 32 /* 16 ids: synchronisation */
};

#endif
