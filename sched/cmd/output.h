/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.h - to our own stdout and stderr, whatever they are.
 *
 * They are shared with other processes, so their flags are left alone. One that somebody else has made
 * nonblocking is waited for; one that blocks is given, when it must not block us, only what it surely takes.
 */
#ifndef BYRE__SCHED_CMD_OUTPUT_H
#define BYRE__SCHED_CMD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* All of it, waiting as long as it takes. false: nobody reads it (EPIPE), or it cannot be written; errno. */
bool output_write_all(int fd, const void *data, size_t bytes);

/* Some of it, once poll has said that it is writable. Bytes; 0: not now; -1: never, with errno. */
ptrdiff_t output_write_some(int fd, const void *data, size_t bytes);

#endif
