/* SPDX-License-Identifier: BSD-3-Clause */
/* Open MPI writes to the socket of a rank that has just died; the SIGPIPE must not kill us too. */
#ifndef BYRE__SIGPIPE_H
#define BYRE__SIGPIPE_H

int byre__sigpipe_init(void);
void byre__sigpipe_fini(void);

#endif
