/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * peer_inbox.c - frames from other daemons, from the engine's handlers to the main thread.
 *
 *  1. Handlers only copy: one frame, or a part of it, or the word that a rank is gone. The engine has one driver
 *     at a time, so what `parts' holds is the driver's, and the last word of a rank comes after its last frame.
 *  2. The descriptor is readable as long as peer_inbox_take would give something.
 *  3. What is no frame of ours is dropped with a line in the log; so is half a frame whose rest never came.
 *     A frame for which there is no memory may not be dropped: the order is what everyone relies on.
 */
#include "peer_core.h"

#include "runtime/log.h"
#include "runtime/node.h"
#include "runtime/part.h"
#include "sched/frame.h"
#include <byre_errors.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct entry {
    struct entry *next;
    int from;
    peer_head_t head;
    size_t filled; /* so many bytes have come */
    _Alignas(16) unsigned char data[];
} entry_t;

static struct {
    int fd;
    pthread_mutex_t lock;
    entry_t *first, **end; /* under lock */
    bool rung;             /* under lock: the descriptor is readable */
    entry_t *taken;        /* the main thread's: its share of the list, */
    entry_t *shown;        /* and the frame that was taken last */
    /* the engine's; [ranks] */
    entry_t **parts;
    entry_t **goodbyes; /* made in time, so that they need no memory */
    int ranks;
} inbox = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER, .end = &inbox.first };

static entry_t *entry_of(unsigned char *room)
{
    return (entry_t *)(void *)(room - offsetof(entry_t, data));
}

unsigned char *peer_inbox_room(int from, const peer_head_t *head)
{
    entry_t *entry = malloc(sizeof *entry + head->bytes);
    if (entry == NULL) return NULL;
    *entry = (entry_t){ .from = from, .head = *head };
    return entry->data; /* cppcheck-suppress memleak ; entry_of finds it again */
}

static void add(entry_t *entry)
{
    entry->next = NULL;
    pthread_mutex_lock(&inbox.lock);
    *inbox.end = entry;
    inbox.end = &entry->next;
    bool ring = !inbox.rung;
    inbox.rung = true;
    if (ring) (void)eventfd_write(inbox.fd, 1);
    pthread_mutex_unlock(&inbox.lock);
}

void peer_inbox_add(unsigned char *room)
{
    add(entry_of(room));
}

/* ---- on the engine ----------------------------------------------------------------------------------- */

/* The head of a part, if it is one: invariant 3. */
static bool read_head(const byre_am_t *am, peer_head_t *head_out)
{
    if (am->bytes < sizeof *head_out) {
        byre__error("a frame from rank %d is cut off: %zu bytes; dropped", am->source, am->bytes);
        return false;
    }
    memcpy(head_out, am->data, sizeof *head_out);
    size_t body = am->bytes - sizeof *head_out;
    bool right = head_out->type != 0 && head_out->type != PEER_GONE && head_out->zero == 0 &&
                 head_out->bytes <= BYRE__FRAME_MAX && head_out->at <= head_out->bytes &&
                 body <= head_out->bytes - head_out->at;
    if (am->bulk_bytes > 0)
        right = right && body == 0 && head_out->at == 0 && head_out->bytes == am->bulk_bytes;
    else
        right = right && head_out->bytes <= PEER_SPLIT && (body > 0 || head_out->bytes == 0);
    if (!right)
        byre__error("rank %d sent what is no frame: type %u, %u bytes; dropped", am->source,
                    head_out->type, head_out->bytes);
    return right;
}

static void drop_part(int from)
{
    if (inbox.parts[from] == NULL) return;
    byre__error("rank %d sent half a frame of type %u; dropped", from,
                inbox.parts[from]->head.type);
    free(inbox.parts[from]);
    inbox.parts[from] = NULL;
}

static entry_t *make_entry(int from, const peer_head_t *head)
{
    unsigned char *room = peer_inbox_room(from, head);
    BYRE__ASSERT(room != NULL); /* invariant 3 */
    return entry_of(room);
}

/* Where a bulk payload goes; NULL refuses it. */
static void *place(const byre_am_t *am, void *arg)
{
    peer_head_t head;
    (void)arg;
    return read_head(am, &head) ? make_entry(am->source, &head)->data : NULL;
}

static void on_part(int from, const peer_head_t *head, const void *body, size_t bytes)
{
    entry_t *entry = inbox.parts[from];
    if (head->at == 0) {
        drop_part(from);
        entry = make_entry(from, head);
    } else if (entry == NULL || entry->filled != head->at || entry->head.bytes != head->bytes ||
               entry->head.type != head->type || entry->head.tag != head->tag) {
        drop_part(from);
        byre__error("rank %d sent the rest of a frame that has no beginning; dropped", from);
        return;
    }
    if (bytes > 0) memcpy(entry->data + entry->filled, body, bytes);
    entry->filled += bytes;
    bool whole = entry->filled == head->bytes;
    inbox.parts[from] = whole ? NULL : entry;
    if (whole) add(entry);
}

static void on_frame(const byre_am_t *am, void *arg)
{
    peer_head_t head;
    (void)arg;
    if (am->bulk_bytes == 0) {
        if (!read_head(am, &head)) return;
        on_part(am->source, &head, (const char *)am->data + sizeof head, am->bytes - sizeof head);
        return;
    }
    if (am->bulk == NULL) return; /* refused, and said so; or the sender is gone */
    drop_part(am->source);
    peer_inbox_add(am->bulk);
}

static void on_gone(int rank)
{
    drop_part(rank);
    entry_t *goodbye = inbox.goodbyes[rank];
    inbox.goodbyes[rank] = NULL;
    if (goodbye != NULL) add(goodbye);
}

/* ---- on the main thread ------------------------------------------------------------------------------- */

static void fetch(void)
{
    eventfd_t count;
    pthread_mutex_lock(&inbox.lock);
    inbox.taken = inbox.first;
    inbox.first = NULL;
    inbox.end = &inbox.first;
    if (inbox.taken == NULL && inbox.rung) { /* invariant 2 */
        (void)eventfd_read(inbox.fd, &count);
        inbox.rung = false;
    }
    pthread_mutex_unlock(&inbox.lock);
}

bool peer_inbox_take(peer_frame_t *frame_out)
{
    free(inbox.shown);
    inbox.shown = NULL;
    if (inbox.taken == NULL) fetch();
    entry_t *entry = inbox.taken;
    if (entry == NULL) return false;
    inbox.taken = entry->next;
    inbox.shown = entry;
    *frame_out = (peer_frame_t){ .type = entry->head.type,
                                 .tag = entry->head.tag,
                                 .from = entry->from,
                                 .payload = byre__unpack_of(entry->data, entry->head.bytes) };
    return true;
}

int peer_inbox_fd(void)
{
    return inbox.fd;
}

/* ---- start and finish: a part of the runtime ------------------------------------------------------------ */

static void free_list(entry_t *list)
{
    while (list != NULL) {
        entry_t *next = list->next;
        free(list);
        list = next;
    }
}

void peer_inbox_fini(void)
{
    free_list(inbox.first);
    free_list(inbox.taken);
    free(inbox.shown);
    for (int rank = 0; rank < inbox.ranks; rank++) {
        if (inbox.parts != NULL) free(inbox.parts[rank]);
        if (inbox.goodbyes != NULL) free(inbox.goodbyes[rank]);
    }
    free(inbox.parts);
    free(inbox.goodbyes);
    if (inbox.fd >= 0) close(inbox.fd);
    inbox.parts = inbox.goodbyes = NULL;
    inbox.first = inbox.taken = inbox.shown = NULL;
    inbox.end = &inbox.first;
    inbox.ranks = 0;
    inbox.fd = -1;
    inbox.rung = false;
}

static int prepare(void)
{
    inbox.ranks = byre__nodes.size;
    inbox.parts = calloc((size_t)inbox.ranks, sizeof(entry_t *));
    inbox.goodbyes = calloc((size_t)inbox.ranks, sizeof(entry_t *));
    if (inbox.parts == NULL || inbox.goodbyes == NULL) return BYRE_ENOMEM;
    for (int rank = 0; rank < inbox.ranks; rank++) {
        unsigned char *room = peer_inbox_room(rank, &(peer_head_t){ .type = PEER_GONE });
        if (room == NULL) return BYRE_ENOMEM;
        inbox.goodbyes[rank] = entry_of(room);
    }
    inbox.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (inbox.fd < 0) return BYRE_ESYSTEM;
    return byre__am_register(PEER_AM, on_frame, place, NULL);
}

static int start(void)
{
    int error = prepare();
    if (error != BYRE_OK) peer_inbox_fini();
    return error;
}

/* The inbox itself stays until peer_close: the main thread may still look. */
static void stop(void)
{
    (void)byre__am_register(PEER_AM, NULL, NULL, NULL);
}

static byre__part_t part = {
    .name = "daemons", .start = start, .stop = stop, .peer_gone = on_gone
};

__attribute__((constructor)) static void join_runtime(void)
{
    byre__part_register(&part);
}
