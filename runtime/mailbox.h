/* SPDX-License-Identifier: BSD-3-Clause */
/* Start and finish of mailboxes. Public contract: byre_runtime.h. */
#ifndef BYRE__MAILBOX_H
#define BYRE__MAILBOX_H

/* After active messages have been started; nothing is sent. */
int byre__mailbox_init(void);
/* When the engine runs no more. Mailboxes that still exist go, with what is in them. */
void byre__mailbox_fini(void);

#endif
