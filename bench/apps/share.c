/* SPDX-License-Identifier: BSD-3-Clause */
/* Who does which part of the work, the memory for it, and how an answer comes together. */
#include "apps.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct span span_of(size_t n, int part, int parts)
{
    size_t p = (size_t)part, q = (size_t)parts;
    return (struct span){ n * p / q, n * (p + 1) / q };
}

size_t span_length(struct span span)
{
    return span.end - span.first;
}

struct layout layout_create(size_t n, size_t each, int ranks)
{
    struct layout layout = { app_memory((size_t)ranks * sizeof(int)),
                             app_memory((size_t)ranks * sizeof(int)) };
    for (int rank = 0; rank < ranks; rank++) {
        struct span span = span_of(n, rank, ranks);
        layout.counts[rank] = (int)(span_length(span) * each);
        layout.starts[rank] = (int)(span.first * each);
    }
    return layout;
}

void layout_destroy(struct layout *layout)
{
    free(layout->counts);
    free(layout->starts);
}

void collect_spans(const struct job *job, const void *own, size_t n, size_t bytes, void *all_out)
{
    struct layout layout = layout_create(n, 1, job->ranks);
    MPI_Datatype thing;

    check_mpi("MPI_Type_contiguous", MPI_Type_contiguous((int)bytes, MPI_BYTE, &thing));
    check_mpi("MPI_Type_commit", MPI_Type_commit(&thing));
    check_mpi("MPI_Gatherv", MPI_Gatherv(own, layout.counts[job->rank], thing, all_out,
                                         layout.counts, layout.starts, thing, 0, job->comm));
    check_mpi("MPI_Type_free", MPI_Type_free(&thing));
    layout_destroy(&layout);
}

size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t whole_pages(size_t bytes)
{
    return (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
}

unsigned unit_for(size_t bytes)
{
    unsigned pages = 1;
    while (pages < BYRE_DSM_UNIT_PAGES_MAX && 2 * pages * page_bytes() <= bytes) pages *= 2;
    return pages;
}

void *app_memory(size_t bytes)
{
    size_t whole = whole_pages(bytes ? bytes : 1);
    void *memory = aligned_alloc(page_bytes(), whole);
    if (memory) return memset(memory, 0, whole);
    bench_die("memory", "out of memory");
}

void *app_region(size_t bytes, const byre_dsm_attr_t *attr)
{
    void *region;
    check_byre("byre_dsm_alloc", byre_dsm_alloc(bytes, attr, &region));
    return region;
}

void app_region_free(void *region)
{
    check_byre("byre_dsm_free", byre_dsm_free(region));
}
