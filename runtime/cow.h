/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copy-on-write snapshots of memory that is being sent.
 *
 * MPI reads a message from a fixed address until the send is complete, and private anonymous
 * memory cannot be mapped twice. So a snapshot moves the buffer's whole pages (mremap with
 * MREMAP_DONTUNMAP: page table entries move, bytes do not) to a shadow address that MPI sends
 * from; the partial pages at both ends are copied there. The buffer's own pages are left empty and
 * inaccessible: the first access to one copies it back from the shadow. When the send is complete,
 * the pages that nobody touched move back.
 */
#ifndef BYRE__COW_H
#define BYRE__COW_H

#include <stdbool.h>
#include <stddef.h>

typedef struct byre__cow byre__cow_t;

/* Snapshot buf[0..bytes). *send_from_out is where the bytes can be read until byre__cow_end.
 * Returns BYRE_OK, BYRE_ENOMEM, BYRE_EINVAL (unmapped memory, or the caller's stack). */
int byre__cow_begin(const void *buf, size_t bytes, byre__cow_t **cow_out,
                    const void **send_from_out);
void byre__cow_end(byre__cow_t *cow);

/* Make [buf, buf+bytes) ordinary memory again where a snapshot holds it (copies), so that MPI and
 * the kernel may read and write it. Cheap when there is no snapshot at all. */
void byre__cow_resolve_slow(const void *buf, size_t bytes);
extern _Atomic int byre__cow_live; /* how many snapshots there are */
static inline void byre__cow_resolve(const void *buf, size_t bytes)
{
    if (__builtin_expect(byre__cow_live != 0, 0)) byre__cow_resolve_slow(buf, bytes);
}

#endif
