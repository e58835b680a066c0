/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and finish of mailboxes. Public contract: byre_runtime.h. */
#ifndef BYRE__MAILBOX_H
#define BYRE__MAILBOX_H

int byre__mailbox_init(void);
void byre__mailbox_fini(void);

#endif
