/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of nonblocking operations: what came for shared memory goes there. See pmpi.h. */
#include "pmpi.h"

#include <stdlib.h>

/* A request that is complete is gone. */
static void end_one(byre__pmpi_entry_t *entry, MPI_Request request, int code,
                    const MPI_Status *status)
{
    if (request == MPI_REQUEST_NULL)
        byre__pmpi_settle(entry, code, status);
    else
        byre__pmpi_put(entry);
}

int MPI_Wait(MPI_Request *request, MPI_Status *status)
{
    MPI_Status own;
    byre__pmpi_entry_t *entry = byre__pmpi_take(*request);
    if (__builtin_expect(entry == NULL, 1)) return PMPI_Wait(request, status);
    if (status == MPI_STATUS_IGNORE) status = &own;
    int code = PMPI_Wait(request, status);
    end_one(entry, *request, code, status);
    return code;
}

int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
{
    MPI_Status own;
    byre__pmpi_entry_t *entry = byre__pmpi_take(*request);
    if (__builtin_expect(entry == NULL, 1)) return PMPI_Test(request, flag, status);
    if (status == MPI_STATUS_IGNORE) status = &own;
    int code = PMPI_Test(request, flag, status);
    end_one(entry, *request, code, status);
    return code;
}

/* The request stays, but the application may read what it received. */
int MPI_Request_get_status(MPI_Request request, int *flag, MPI_Status *status)
{
    MPI_Status own;
    byre__pmpi_entry_t *entry = byre__pmpi_take(request);
    if (__builtin_expect(entry == NULL, 1)) return PMPI_Request_get_status(request, flag, status);
    if (status == MPI_STATUS_IGNORE) status = &own;
    int code = PMPI_Request_get_status(request, flag, status);
    if (code == MPI_SUCCESS && *flag && entry->receives)
        byre__pmpi_return(&entry->buffer, byre__pmpi_received(status));
    byre__pmpi_put(entry);
    return code;
}

/* When it ends nobody can tell any more, so the copy stays (invariant 2). */
int MPI_Request_free(MPI_Request *request)
{
    free(byre__pmpi_take(*request));
    return PMPI_Request_free(request);
}

/* ---- several at once ------------------------------------------------------------------------ */

enum { FEW = 32 };

struct group {
    int count;
    MPI_Request *requests;
    byre__pmpi_entry_t **entries; /* of the requests; taken */
    MPI_Status *statuses;         /* the caller's, or own */
    bool any;
    byre__pmpi_entry_t *few_entries[FEW];
    MPI_Status few[FEW];
    void *memory;
};

/* With room for statuses if the caller wants none. False: no memory. */
static bool take_group(struct group *group, int count, MPI_Request *requests, MPI_Status *statuses)
{
    size_t n = count > 0 && !byre__pmpi_none() ? (size_t)count : 0;
    group->count = (int)n;
    group->requests = requests;
    group->entries = group->few_entries;
    group->statuses = statuses != MPI_STATUSES_IGNORE ? statuses : group->few;
    group->memory = NULL;
    group->any = false;
    if (n > FEW) {
        MPI_Status *own = malloc(n * (sizeof *own + sizeof *group->entries));
        if (own == NULL) return false;
        group->memory = own;
        group->entries = (byre__pmpi_entry_t **)(own + n);
        if (statuses == MPI_STATUSES_IGNORE) group->statuses = own;
    }
    for (size_t i = 0; i < n; i++) {
        group->entries[i] = byre__pmpi_take(requests[i]);
        group->any = group->any || group->entries[i] != NULL;
    }
    return true;
}

static void settle_one(struct group *group, int index, int code, const MPI_Status *status)
{
    byre__pmpi_entry_t *entry = group->entries[index];
    if (entry == NULL || group->requests[index] != MPI_REQUEST_NULL) return;
    if (code == MPI_ERR_IN_STATUS) code = status->MPI_ERROR;
    byre__pmpi_settle(entry, code, status);
    group->entries[index] = NULL;
}

/* What is not complete goes back. */
static void end_group(struct group *group)
{
    for (int i = 0; i < group->count; i++)
        if (group->entries[i] != NULL) byre__pmpi_put(group->entries[i]);
    free(group->memory);
}

/* With nothing of ours among them the caller's arguments go to MPI as they are. */
#define TAKE_GROUP(group, count, requests, statuses, otherwise) \
    do {                                                        \
        if (!take_group(&(group), count, requests, statuses))   \
            return byre__pmpi_no_memory(MPI_COMM_WORLD);        \
        if (__builtin_expect(!(group).any, 1)) {                \
            free((group).memory);                               \
            return otherwise;                                   \
        }                                                       \
    } while (0)

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[])
{
    struct group group;
    TAKE_GROUP(group, count, requests, statuses, PMPI_Waitall(count, requests, statuses));
    int code = PMPI_Waitall(count, requests, group.statuses);
    for (int i = 0; i < count; i++) settle_one(&group, i, code, &group.statuses[i]);
    end_group(&group);
    return code;
}

int MPI_Testall(int count, MPI_Request requests[], int *flag, MPI_Status statuses[])
{
    struct group group;
    TAKE_GROUP(group, count, requests, statuses, PMPI_Testall(count, requests, flag, statuses));
    int code = PMPI_Testall(count, requests, flag, group.statuses);
    for (int i = 0; i < count; i++) settle_one(&group, i, code, &group.statuses[i]);
    end_group(&group);
    return code;
}

int MPI_Waitany(int count, MPI_Request requests[], int *index, MPI_Status *status)
{
    struct group group;
    TAKE_GROUP(group, count, requests, MPI_STATUSES_IGNORE,
               PMPI_Waitany(count, requests, index, status));
    if (status == MPI_STATUS_IGNORE) status = group.statuses;
    int code = PMPI_Waitany(count, requests, index, status);
    if (*index != MPI_UNDEFINED) settle_one(&group, *index, code, status);
    end_group(&group);
    return code;
}

int MPI_Testany(int count, MPI_Request requests[], int *index, int *flag, MPI_Status *status)
{
    struct group group;
    TAKE_GROUP(group, count, requests, MPI_STATUSES_IGNORE,
               PMPI_Testany(count, requests, index, flag, status));
    if (status == MPI_STATUS_IGNORE) status = group.statuses;
    int code = PMPI_Testany(count, requests, index, flag, status);
    if (*index != MPI_UNDEFINED) settle_one(&group, *index, code, status);
    end_group(&group);
    return code;
}

int MPI_Waitsome(int count, MPI_Request requests[], int *outcount, int indices[],
                 MPI_Status statuses[])
{
    struct group group;
    TAKE_GROUP(group, count, requests, statuses,
               PMPI_Waitsome(count, requests, outcount, indices, statuses));
    int code = PMPI_Waitsome(count, requests, outcount, indices, group.statuses);
    for (int i = 0; *outcount != MPI_UNDEFINED && i < *outcount; i++)
        settle_one(&group, indices[i], code, &group.statuses[i]);
    end_group(&group);
    return code;
}

int MPI_Testsome(int count, MPI_Request requests[], int *outcount, int indices[],
                 MPI_Status statuses[])
{
    struct group group;
    TAKE_GROUP(group, count, requests, statuses,
               PMPI_Testsome(count, requests, outcount, indices, statuses));
    int code = PMPI_Testsome(count, requests, outcount, indices, group.statuses);
    for (int i = 0; *outcount != MPI_UNDEFINED && i < *outcount; i++)
        settle_one(&group, indices[i], code, &group.statuses[i]);
    end_group(&group);
    return code;
}
