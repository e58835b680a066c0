/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libbyre_pmpi: an application's own MPI calls with buffers in shared memory.
 *
 * The names MPI_* are defined here and call PMPI_*, MPI's profiling interface. MPI cannot take a fault that
 * waits for another rank, so it gets ordinary memory instead: the wrapper copies, outside MPI, where a
 * fault is nothing special.
 *
 * Why not pin the buffer for the time of the call? Because the call waits for other ranks, and those may
 * need the pinned unit before they can do their part: each rank writes its element of a shared array and
 * then all reduce it, and the first to arrive would hold the unit that the others must still write to.
 *
 *   bounce.c        the copies
 *   requests.c      which requests have copies
 *   p2p.c           sends and receives
 *   complete.c      MPI_Wait, MPI_Test and their families
 *   collectives.c
 *
 * Invariants
 *  1. MPI never sees an address in shared memory, as far as the calls here go.
 *  2. What MPI may still use stays: a copy is freed when its operation is complete, and never if it failed
 *     in a way that leaves that open.
 *  3. Of shared memory nothing is written but what MPI received there: gaps between the elements of a
 *     datatype, and between blocks, may be another rank's.
 *  4. An entry is out of the table while a completion call looks at its request: when the request is gone,
 *     MPI may give its handle to another thread at once.
 */
#ifndef BYRE__PMPI_H
#define BYRE__PMPI_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

/* Shared memory as an argument, and what MPI gets in its place. */
typedef struct byre__pmpi_buffer {
    void *mpi;  /* the argument for MPI: the buffer itself when it is ordinary memory */
    char *user; /* of the bytes below */
    char *copy; /* NULL: nothing was copied */
    char *
        twin; /* as the copy was at first, to find out what MPI wrote; or NULL: all from its start */
    size_t bytes;
} byre__pmpi_buffer_t;

typedef enum byre__pmpi_use {
    BYRE__PMPI_READ,  /* MPI reads it */
    BYRE__PMPI_WRITE, /* MPI writes it, from its start */
    BYRE__PMPI_UPDATE /* both, or MPI may leave it as it is */
} byre__pmpi_use_t;

/* False: no memory, or the type is not one (the caller's call to MPI will say so). */
bool byre__pmpi_borrow(byre__pmpi_buffer_t *buffer, const void *buf, size_t count,
                       MPI_Datatype type, byre__pmpi_use_t use);
/* The same for blocks, as MPI_Gatherv has them. */
bool byre__pmpi_borrow_blocks(byre__pmpi_buffer_t *buffer, const void *buf, int blocks,
                              const int *counts, const int *displs, MPI_Datatype type,
                              byre__pmpi_use_t use);
/* MPI has written it, `bytes` bytes at most: to shared memory with them. Frees the copy. */
void byre__pmpi_return(byre__pmpi_buffer_t *buffer, size_t bytes);
void byre__pmpi_drop(byre__pmpi_buffer_t *buffer);
/* Of a call that has ended with this code. */
void byre__pmpi_finish(byre__pmpi_buffer_t *buffer, int code);

/* How many bytes a receive brought; 0 when it was cancelled. */
size_t byre__pmpi_received(const MPI_Status *status);
/* Tells the communicator's error handler. */
int byre__pmpi_no_memory(MPI_Comm comm);

/* A request with a copy. */
typedef struct byre__pmpi_entry {
    struct byre__pmpi_entry *next;
    MPI_Request request;
    bool receives;
    byre__pmpi_buffer_t buffer;
} byre__pmpi_entry_t;

bool byre__pmpi_none(void); /* has any request a copy? */
void byre__pmpi_put(byre__pmpi_entry_t *entry);
/* NULL: the request has no copy. */
byre__pmpi_entry_t *byre__pmpi_take(MPI_Request request);
/* Its request is complete. */
void byre__pmpi_settle(byre__pmpi_entry_t *entry, int code, const MPI_Status *status);

#endif
