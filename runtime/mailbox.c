/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mailboxes as their users see them: each public call is an operation at the owner of the mailbox.
 * The messages between client and owner are drawn in mailbox_wire.h; the owner is mailbox_owner.c.
 *
 * An operation lives on the stack of the thread that waits for it, and goes through these states:
 *
 *   ASKED --GRANT: on_grant--> GRANTED --bulk is posted--> ASKED
 *     |
 *     +--ANSWER: on_answer------------------------------> ENDED
 *     +--DELIVER, inline: on_deliver--------------------> ENDED
 *     +--DELIVER, bulk: place_delivery--> FILLING --on_deliver--> ENDED
 *
 * The thread leaves when its operation has ended and no bulk of its own is under way; or when the
 * owner is dead or has left (BYRE_EPEER). A message for an operation that has left is ignored.
 *
 * Invariants
 *  1. An operation is in `ops` from before its request is sent until its thread leaves; handlers look
 *     at operations, and write to them and to their buffers, only with `lock` held, so never after
 *     the thread has left.
 *  2. A bulk that comes straight into the buffer is the exception: while FILLING the thread waits,
 *     and if the owner has gone, until no driver can be receiving from it any more (quiesce()).
 *  3. A receive acknowledges what it got, after it has got it: until then the owner keeps the message.
 *
 * `lock` is a leaf and held for the copy of a short message at most.
 */
#include "mailbox.h"

#include "detector.h"
#include "mailbox_queue.h"
#include "mailbox_wire.h"
#include "node.h"
#include "paged.h"
#include "progress.h"
#include <byre_runtime.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum state { ASKED, GRANTED, FILLING, ENDED };

struct op {
    struct op *next;
    uint64_t token;
    int owner;
    _Atomic int state;
    _Atomic bool shipping; /* MPI reads the sender's buffer */
    void *buf;             /* of a receive */
    size_t room;
    int error;
    bool delivered; /* `answer` came with a message */
    byre__mailbox_answer_t answer;
};

static struct {
    pthread_mutex_t lock;
    struct op *ops;
    uint64_t next_token;
} client = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- operations --------------------------------------------------------------------------------- */

static void begin(struct op *op, int owner)
{
    op->owner = owner;
    op->error = BYRE_EPEER; /* unless the owner says otherwise */
    pthread_mutex_lock(&client.lock);
    op->token = ++client.next_token;
    op->next = client.ops;
    client.ops = op;
    pthread_mutex_unlock(&client.lock);
}

/* From here on nobody but its thread knows of the operation. */
static void leave(struct op *op)
{
    pthread_mutex_lock(&client.lock);
    struct op **at = &client.ops;
    while (*at != op) at = &(*at)->next;
    *at = op->next;
    pthread_mutex_unlock(&client.lock);
}

static int post(struct op *op, byre__mailbox_request_t *request, const void *data, size_t bytes)
{
    unsigned char frame[BYRE_AM_INLINE];
    request->token = op->token;
    memcpy(frame, request, sizeof *request);
    if (bytes > 0) memcpy(frame + sizeof *request, data, bytes);
    return byre__am_post(op->owner, BYRE__MAILBOX_REQUEST, frame, sizeof *request + bytes, NULL, 0,
                         NULL, NULL);
}

/* Looked at by whoever drives the engine. */
static bool moved_on(void *arg)
{
    struct op *op = arg;
    if (atomic_load_explicit(&op->shipping, memory_order_acquire)) return false;
    int state = atomic_load_explicit(&op->state, memory_order_acquire);
    return state == ENDED || state == GRANTED || byre__peer_absent(op->owner);
}

/* Invariant 2: whoever gave up the transfers with a rank that has gone did so as the driver. */
static void quiesce(void)
{
    while (!byre__drive_try()) sched_yield();
    byre__drive_end();
}

/* Wait until the operation is granted (returns true), has ended, or cannot end. */
static bool await(struct op *op, uint64_t deadline_ns, bool *late_out)
{
    bool over = byre__wait_until(moved_on, op, deadline_ns);
    if (late_out != NULL) *late_out = !over;
    if (!over) return false;
    if (atomic_load(&op->state) == FILLING) quiesce();
    return atomic_load(&op->state) == GRANTED;
}

/* One request, one answer. */
static int ask(struct op *op, int owner, byre__mailbox_request_t *request)
{
    begin(op, owner);
    int error = post(op, request, NULL, 0);
    if (error == BYRE_OK) (void)await(op, 0, NULL);
    leave(op);
    return error != BYRE_OK ? error : op->error;
}

/* ---- what the owner says ------------------------------------------------------------------------ */

/* The operation that an answer is for. Called and left with the lock. */
static struct op *find(const byre_am_t *am, byre__mailbox_answer_t *answer_out)
{
    if (am->bytes < sizeof *answer_out) return NULL;
    memcpy(answer_out, am->data, sizeof *answer_out);
    struct op *op = client.ops;
    while (op != NULL && (op->token != answer_out->token || op->owner != am->source)) op = op->next;
    return op;
}

static void end(struct op *op, const byre__mailbox_answer_t *answer, int error)
{
    op->answer = *answer;
    op->error = error;
    atomic_store_explicit(&op->state, ENDED, memory_order_release);
}

static void on_answer(const byre_am_t *am, void *arg)
{
    byre__mailbox_answer_t answer;
    (void)arg;
    pthread_mutex_lock(&client.lock);
    struct op *op = find(am, &answer);
    if (op != NULL) end(op, &answer, answer.error);
    pthread_mutex_unlock(&client.lock);
}

static void on_grant(const byre_am_t *am, void *arg)
{
    byre__mailbox_answer_t answer;
    (void)arg;
    pthread_mutex_lock(&client.lock);
    struct op *op = find(am, &answer);
    if (op != NULL) atomic_store_explicit(&op->state, GRANTED, memory_order_release);
    pthread_mutex_unlock(&client.lock);
}

static void *place_delivery(const byre_am_t *am, void *arg)
{
    byre__mailbox_answer_t answer;
    (void)arg;
    pthread_mutex_lock(&client.lock);
    struct op *op = find(am, &answer);
    bool fits = op != NULL && am->bulk_bytes == answer.bytes && am->bulk_bytes <= op->room;
    void *place = fits ? op->buf : NULL;
    if (fits) atomic_store_explicit(&op->state, FILLING, memory_order_release);
    pthread_mutex_unlock(&client.lock);
    return place;
}

/* Take the bytes; a message that is not what it says is refused. */
static bool take_bytes(struct op *op, const byre_am_t *am, const byre__mailbox_answer_t *answer)
{
    if (am->bulk != NULL) return atomic_load(&op->state) == FILLING;
    if (answer->bytes != am->bytes - sizeof *answer || answer->bytes > op->room) return false;
    if (answer->bytes > 0) memcpy(op->buf, (const char *)am->data + sizeof *answer, answer->bytes);
    return true;
}

static void on_deliver(const byre_am_t *am, void *arg)
{
    byre__mailbox_answer_t answer;
    (void)arg;
    pthread_mutex_lock(&client.lock);
    struct op *op = find(am, &answer);
    if (op != NULL) {
        op->delivered = true;
        end(op, &answer, take_bytes(op, am, &answer) ? BYRE_OK : BYRE_EPROTO);
    }
    pthread_mutex_unlock(&client.lock);
}

/* ---- sending ------------------------------------------------------------------------------------ */

static void shipped(int error, void *arg)
{
    struct op *op = arg;
    (void)error; /* that the owner is dead, moved_on() sees for itself */
    atomic_store_explicit(&op->shipping, false, memory_order_release);
}

/* The place is granted: ship the bytes there. */
static int ship(struct op *op, byre__mailbox_request_t *request, const void *buf)
{
    atomic_store(&op->state, ASKED);
    atomic_store(&op->shipping, true);
    int error = byre__am_post(op->owner, BYRE__MAILBOX_BULK, request, sizeof *request, buf,
                              request->bytes, shipped, op);
    if (error == BYRE_OK) return BYRE_OK;
    atomic_store(&op->shipping, false);
    request->op = BYRE__MAILBOX_CANCEL; /* somebody else may have the place */
    (void)post(op, request, NULL, 0);
    return error;
}

static int check(const byre_right_t *right, unsigned wanted)
{
    if (!byre_initialized()) return BYRE_ESTATE;
    if (byre__in_handler()) return BYRE_ECONTEXT;
    if (right == NULL) return BYRE_EINVAL;
    bool possible = right->owner >= 0 && right->owner < byre__nodes.size;
    return possible && (right->rights & wanted) != 0 ? BYRE_OK : BYRE_ERIGHT;
}

/* From shared memory (paged.h). What MPI may still read stays. */
static __attribute__((noinline)) int send_paged(const byre_right_t *to, const void *buf,
                                                size_t bytes, int priority)
{
    if (byre__peer_absent(to->owner)) return BYRE_EPEER;
    void *copy = byre__paged_copy(buf, bytes);
    if (copy == NULL) return BYRE_ENOMEM;
    int error = byre_mailbox_send(to, copy, bytes, priority);
    if (error != BYRE_EPEER) free(copy);
    return error;
}

int byre_mailbox_send(const byre_right_t *to, const void *buf, size_t bytes, int priority)
{
    int error = check(to, BYRE_RIGHT_SEND);
    if (error != BYRE_OK) return error;
    if (buf == NULL && bytes > 0) return BYRE_EINVAL;
    if (priority < 0 || priority >= BYRE__MAILBOX_PRIORITIES) return BYRE_ERANGE;
    if (bytes > BYRE__MAILBOX_LONGEST) return BYRE_ERANGE;
    if (byre__is_paged(buf, bytes)) return send_paged(to, buf, bytes, priority);
    bool is_short = bytes <= BYRE__MAILBOX_SHORT_SEND;
    byre__mailbox_request_t request = { .op = is_short ? BYRE__MAILBOX_SEND : BYRE__MAILBOX_ASK,
                                        .id = to->id,
                                        .key = to->key,
                                        .bytes = bytes,
                                        .priority = (uint8_t)priority };
    struct op op = { .next = NULL };
    begin(&op, to->owner);
    error = post(&op, &request, buf, is_short ? bytes : 0);
    if (error == BYRE_OK && await(&op, 0, NULL)) {
        error = ship(&op, &request, buf);
        if (error == BYRE_OK) (void)await(&op, 0, NULL);
    }
    leave(&op);
    return error != BYRE_OK ? error : op.error;
}

/* ---- receiving ---------------------------------------------------------------------------------- */

/* Wait for the message; when time is up, make the owner say how it ended. Either way it ends once. */
static void await_message(struct op *op, byre__mailbox_request_t *request, int timeout_ms)
{
    uint64_t deadline = timeout_ms <= 0 ? 0 : byre__now_ns() + (uint64_t)timeout_ms * 1000000u;
    bool late;
    (void)await(op, deadline, &late);
    if (!late) return;
    request->op = BYRE__MAILBOX_CANCEL;
    while (post(op, request, NULL, 0) == BYRE_ENOMEM) sched_yield(); /* the time-out must be told */
    (void)await(op, 0, NULL);
}

/* Invariant 3. Without it the owner would keep the message and, should this rank die, queue it again. */
static void acknowledge(struct op *op, byre__mailbox_request_t *request)
{
    request->op = op->error == BYRE_OK ? BYRE__MAILBOX_ACK : BYRE__MAILBOX_REJECT;
    while (post(op, request, NULL, 0) == BYRE_ENOMEM) sched_yield();
}

static __attribute__((noinline)) int recv_paged(const byre_right_t *from, void *buf, size_t room,
                                                int timeout_ms, byre_info_t *info_out)
{
    byre_info_t info;
    if (byre__peer_absent(from->owner)) return BYRE_EPEER;
    void *copy = malloc(room > 0 ? room : 1);
    if (copy == NULL) return BYRE_ENOMEM;
    int error = byre_mailbox_recv(from, copy, room, timeout_ms, &info);
    if (error == BYRE_OK && info.bytes > 0) memcpy(buf, copy, info.bytes);
    if (error != BYRE_EPEER) free(copy); /* what MPI may still write to stays */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    if (info_out != NULL && (error == BYRE_OK || error == BYRE_ETRUNC)) *info_out = info;
    return error;
}

int byre_mailbox_recv(const byre_right_t *from, void *buf, size_t room, int timeout_ms,
                      byre_info_t *info_out)
{
    int error = check(from, BYRE_RIGHT_RECEIVE);
    if (error != BYRE_OK) return error;
    if (buf == NULL && room > 0) return BYRE_EINVAL;
    if (byre__is_paged(buf, room)) return recv_paged(from, buf, room, timeout_ms, info_out);
    byre__mailbox_request_t request = { .op = timeout_ms == 0 ? BYRE__MAILBOX_TRY
                                                              : BYRE__MAILBOX_RECEIVE,
                                        .id = from->id,
                                        .key = from->key,
                                        .bytes = room };
    struct op op = { .buf = buf, .room = room };
    begin(&op, from->owner);
    error = post(&op, &request, NULL, 0);
    if (error == BYRE_OK) await_message(&op, &request, timeout_ms);
    leave(&op);
    if (error != BYRE_OK) return error;
    if (op.delivered) acknowledge(&op, &request);
    if (info_out != NULL && (op.error == BYRE_OK || op.error == BYRE_ETRUNC))
        *info_out = (byre_info_t){ .source = op.answer.source,
                                   .port = op.answer.priority,
                                   .bytes = op.answer.bytes };
    return op.error;
}

/* ---- rights ------------------------------------------------------------------------------------- */

/* Keys only have to be hard to hit by accident; the kernel's generator also never repeats them. */
static int make_key(uint64_t *key_out)
{
    ssize_t got = getrandom(key_out, sizeof *key_out, 0);
    return got == (ssize_t)sizeof *key_out ? BYRE_OK : BYRE_ESYSTEM;
}

int byre_mailbox_create(size_t capacity, size_t max_bytes, byre_overflow_t policy,
                        byre_right_t *receive_out, byre_right_t *send_out)
{
    byre_right_t self = { .owner = byre__nodes.rank, .rights = BYRE_RIGHT_RECEIVE };
    int error = check(&self, BYRE_RIGHT_RECEIVE);
    if (error != BYRE_OK) return error;
    if (capacity < 1 || max_bytes > BYRE__MAILBOX_LONGEST) return BYRE_EINVAL;
    if ((int)policy < BYRE_OVERFLOW_BLOCK || policy > BYRE_OVERFLOW_DROP_OLDEST) return BYRE_EINVAL;
    if (receive_out == NULL || send_out == NULL) return BYRE_EINVAL;
    byre__mailbox_request_t request = { .op = BYRE__MAILBOX_CREATE,
                                        .bytes = max_bytes,
                                        .capacity = capacity,
                                        .policy = (uint8_t)policy };
    error = make_key(&request.key);
    if (error == BYRE_OK) error = make_key(&request.new_key);
    if (error == BYRE_OK) error = byre__mailbox_owner_watch();
    if (error != BYRE_OK) return error;
    struct op op = { .next = NULL };
    error = ask(&op, self.owner, &request);
    if (error != BYRE_OK) return error;
    self.id = op.answer.id;
    self.key = request.new_key;
    *receive_out = self;
    self.rights = BYRE_RIGHT_SEND;
    self.key = request.key;
    *send_out = self;
    return BYRE_OK;
}

int byre_mailbox_destroy(const byre_right_t *receive)
{
    int error = check(receive, BYRE_RIGHT_RECEIVE);
    if (error != BYRE_OK) return error;
    byre__mailbox_request_t request = { .op = BYRE__MAILBOX_DESTROY,
                                        .id = receive->id,
                                        .key = receive->key };
    struct op op = { .next = NULL };
    return ask(&op, receive->owner, &request);
}

int byre_right_move(const byre_right_t *receive, byre_right_t *moved_out)
{
    int error = check(receive, BYRE_RIGHT_RECEIVE);
    if (error != BYRE_OK) return error;
    if (moved_out == NULL) return BYRE_EINVAL;
    byre__mailbox_request_t request = { .op = BYRE__MAILBOX_MOVE,
                                        .id = receive->id,
                                        .key = receive->key };
    error = make_key(&request.new_key);
    if (error != BYRE_OK) return error;
    struct op op = { .next = NULL };
    error = ask(&op, receive->owner, &request);
    if (error != BYRE_OK) return error;
    byre_right_t moved = *receive; /* which may be *moved_out */
    moved.key = request.new_key;
    *moved_out = moved;
    return BYRE_OK;
}

/* ---- start and finish --------------------------------------------------------------------------- */

int byre__mailbox_init(void)
{
    int error = byre__mailbox_owner_init();
    if (error == BYRE_OK) error = byre__am_register(BYRE__MAILBOX_ANSWER, on_answer, NULL, NULL);
    if (error == BYRE_OK) error = byre__am_register(BYRE__MAILBOX_GRANT, on_grant, NULL, NULL);
    if (error == BYRE_OK)
        error = byre__am_register(BYRE__MAILBOX_DELIVER, on_deliver, place_delivery, NULL);
    return error;
}

void byre__mailbox_fini(void)
{
    byre__mailbox_owner_fini();
}
