/* SPDX-License-Identifier: BSD-3-Clause */
/* takeover.h - the ledger, though a daemon of earlier may still have it. Described in takeover.c. */
#ifndef BYRED_TAKEOVER_H
#define BYRED_TAKEOVER_H

/* As ledger_open, into byred.ledger. */
int takeover_ledger(char error_out[static 256]);

#endif
