/* SPDX-License-Identifier: BSD-3-Clause */
/* Copies of shared memory for MPI. The rules are in pmpi.h. */
#include "pmpi.h"

#include <byre_dsm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Where elements lie, in bytes from the address that MPI is given. */
struct span {
    intptr_t low, high; /* equal: nowhere */
};

struct shape {
    MPI_Aint extent, true_lb, true_extent;
};

static bool get_shape(MPI_Datatype type, struct shape *shape_out)
{
    MPI_Aint lb;
    return type != MPI_DATATYPE_NULL &&
           PMPI_Type_get_extent(type, &lb, &shape_out->extent) == MPI_SUCCESS &&
           PMPI_Type_get_true_extent(type, &shape_out->true_lb, &shape_out->true_extent) ==
               MPI_SUCCESS;
}

/* `count` elements from element `first` on; the extent may be negative. */
static void extend(struct span *span, const struct shape *shape, intptr_t first, size_t count)
{
    if (count == 0 || shape->true_extent == 0) return;
    intptr_t begin = first * shape->extent, end = (first + (intptr_t)count - 1) * shape->extent;
    intptr_t low = (begin < end ? begin : end) + shape->true_lb;
    intptr_t high = (begin < end ? end : begin) + shape->true_lb + shape->true_extent;
    bool empty = span->low == span->high;
    if (empty || low < span->low) span->low = low;
    if (empty || high > span->high) span->high = high;
}

/* Elements without gaps in the order of addresses: what is received fills them from the start. */
static bool is_dense(MPI_Datatype type, const struct shape *shape)
{
    int integers, addresses, types, combiner = MPI_COMBINER_DUP, size = -1;
    (void)PMPI_Type_get_envelope(type, &integers, &addresses, &types, &combiner);
    (void)PMPI_Type_size(type, &size);
    return combiner == MPI_COMBINER_NAMED && shape->true_lb == 0 && size == shape->true_extent &&
           size == shape->extent;
}

static bool make_copy(byre__pmpi_buffer_t *buffer, const struct span *span, bool fill, bool twin)
{
    uintptr_t at = (uintptr_t)buffer->mpi;
    buffer->bytes = (size_t)(span->high - span->low);
    buffer->user = (char *)(at + (uintptr_t)span->low); /* NOLINT(performance-no-int-to-ptr) */
    buffer->copy = malloc(buffer->bytes);
    if (twin) buffer->twin = malloc(buffer->bytes);
    if (buffer->copy == NULL || (twin && buffer->twin == NULL)) {
        byre__pmpi_drop(buffer);
        return false;
    }
    if (fill || twin) memcpy(buffer->copy, buffer->user, buffer->bytes);
    if (twin) memcpy(buffer->twin, buffer->copy, buffer->bytes);
    uintptr_t origin = (uintptr_t)buffer->copy - (uintptr_t)span->low;
    buffer->mpi = (void *)origin; /* NOLINT(performance-no-int-to-ptr) */
    return true;
}

/* MPI_BOTTOM is address 0, MPI_IN_PLACE an address that is nowhere. */
static bool is_shared(const byre__pmpi_buffer_t *buffer, const struct span *span)
{
    uintptr_t at = (uintptr_t)buffer->mpi + (uintptr_t)span->low;
    return span->low != span->high &&
           byre_dsm_contains((const void *)at, /* NOLINT(performance-no-int-to-ptr) */
                             (size_t)(span->high - span->low));
}

bool byre__pmpi_borrow(byre__pmpi_buffer_t *buffer, const void *buf, size_t count,
                       MPI_Datatype type, byre__pmpi_use_t use)
{
    struct span span = { 0, 0 };
    struct shape shape;
    *buffer = (byre__pmpi_buffer_t){ .mpi = (void *)(uintptr_t)buf };
    if (!get_shape(type, &shape)) return true; /* MPI's to complain */
    extend(&span, &shape, 0, count);
    if (__builtin_expect(!is_shared(buffer, &span), 1)) return true;
    bool twin = use != BYRE__PMPI_READ && !is_dense(type, &shape);
    return make_copy(buffer, &span, use != BYRE__PMPI_WRITE, twin);
}

bool byre__pmpi_borrow_blocks(byre__pmpi_buffer_t *buffer, const void *buf, int blocks,
                              const int *counts, const int *displs, MPI_Datatype type,
                              byre__pmpi_use_t use)
{
    struct span span = { 0, 0 };
    struct shape shape;
    *buffer = (byre__pmpi_buffer_t){ .mpi = (void *)(uintptr_t)buf };
    if (!get_shape(type, &shape)) return true;
    for (int i = 0; i < blocks; i++)
        if (counts[i] > 0) extend(&span, &shape, displs[i], (size_t)counts[i]);
    if (__builtin_expect(!is_shared(buffer, &span), 1)) return true;
    return make_copy(buffer, &span, true, use != BYRE__PMPI_READ);
}

void byre__pmpi_drop(byre__pmpi_buffer_t *buffer)
{
    free(buffer->copy);
    free(buffer->twin);
    buffer->copy = buffer->twin = NULL;
}

/* Invariant 3. A byte that MPI received and that is as it was need not be written. */
static void write_changes(const byre__pmpi_buffer_t *buffer)
{
    enum { STRIDE = 64 };
    for (size_t i = 0; i < buffer->bytes; i += STRIDE) {
        size_t end = buffer->bytes - i < STRIDE ? buffer->bytes : i + STRIDE;
        if (memcmp(buffer->copy + i, buffer->twin + i, end - i) == 0) continue;
        for (size_t j = i; j < end; j++)
            if (buffer->copy[j] != buffer->twin[j]) buffer->user[j] = buffer->copy[j];
    }
}

void byre__pmpi_return(byre__pmpi_buffer_t *buffer, size_t bytes)
{
    if (buffer->copy == NULL) return;
    if (buffer->twin != NULL)
        write_changes(buffer);
    else
        memcpy(buffer->user, buffer->copy, bytes < buffer->bytes ? bytes : buffer->bytes);
    byre__pmpi_drop(buffer);
}

void byre__pmpi_finish(byre__pmpi_buffer_t *buffer, int code)
{
    if (code == MPI_SUCCESS)
        byre__pmpi_return(buffer, buffer->bytes);
    else
        byre__pmpi_drop(buffer);
}

size_t byre__pmpi_received(const MPI_Status *status)
{
    MPI_Count bytes = 0;
    int cancelled = 0;
    (void)PMPI_Test_cancelled(status, &cancelled);
    if (cancelled || PMPI_Get_elements_x(status, MPI_BYTE, &bytes) != MPI_SUCCESS) return 0;
    return bytes > 0 ? (size_t)bytes : 0;
}

int byre__pmpi_no_memory(MPI_Comm comm)
{
    (void)PMPI_Comm_call_errhandler(comm, MPI_ERR_NO_MEM);
    return MPI_ERR_NO_MEM;
}
