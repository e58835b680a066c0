/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of the program's source. Described in source.c. */
#ifndef BYRE__DSM_SOURCE_H
#define BYRE__DSM_SOURCE_H

#include <stddef.h>
#include <stdint.h>

typedef struct byre__source_text {
    char text[120];
} byre__source_text_t;

/* What stands at `count` instruction pointers of this process: "function at file.c:12"; without
 * debugging information or addr2line "function+0x12", "program+0x1234" or "0x1234". Runs addr2line once
 * for the program and for each library among them. Blocks. */
void byre__source_find(const uint64_t *ips, size_t count, byre__source_text_t *texts);

#endif
