/* SPDX-License-Identifier: BSD-3-Clause */
/* What is mapped at an address: one question to the kernel. */
#ifndef BYRE__MAPS_H
#define BYRE__MAPS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct byre__mapping {
    uintptr_t start, end; /* [start, end) */
    bool readable;
    bool shared;
    bool plain; /* private, anonymous, readable and writable, pages of the usual size, and not the
                   main thread's stack */
} byre__mapping_t;

/* A view of this process's mappings: a file descriptor, or -1. */
int byre__maps_open(void);
void byre__maps_close(int maps);

/* The mapping that holds addr; false when there is none. */
bool byre__maps_at(int maps, uintptr_t addr, byre__mapping_t *mapping_out);

/* Kernels before 6.11 know the question only as text to be read. Tests set this. */
extern bool byre__maps_as_text;

#endif
