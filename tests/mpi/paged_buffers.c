/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 90 */
/* Byre's calls with buffers, and other arguments, in memory whose pages must be asked for. A window stands
 * in for shared memory: it is closed before each call, and opened page by page by a resolver that checks who
 * touches it: threads of the application, outside handlers and marks; never Byre's threads or MPI. */
#include "testing.h"

#include "fault.h"
#include "message.h"
#include "paged.h"
#include "progress.h"
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

enum { PAGE = 4096, PORT = 7, OTHER_PORT = 8, COUNTED = 1, ANSWERED, LATER, TRIED };
#define WINDOW (4 * MIB)

static char *window;
static uintptr_t real_start, real_end; /* that of shared memory */
static char *out, *in;                 /* in it, not aligned */
static _Atomic unsigned touches;
static _Thread_local bool may_touch;

/* ---- the window ---------------------------------------------------------------------------------- */

static void wrong(const char *what)
{
    (void)!write(STDERR_FILENO, what, strlen(what));
    _exit(1);
}

static bool open_page(const byre__fault_t *fault, void *arg)
{
    uintptr_t page = fault->addr / PAGE * PAGE;
    if (arg != window) wrong("another window's resolver\n");
    if (!may_touch) wrong("touched by a thread of Byre or MPI\n");
    if (fault->in_runtime) wrong("touched inside a mark\n");
    if (byre__in_handler()) wrong("touched in a handler\n");
    atomic_fetch_add(&touches, 1);
    if (byre__drive_try()) { /* as the real one, which waits for a page */
        (void)byre__engine_poll();
        byre__drive_end();
    }
    return mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) == 0;
}

static void close_window(void)
{
    if (mprotect(window, WINDOW, PROT_NONE) != 0) wrong("mprotect\n");
}

static void make_window(void)
{
    window = mmap(NULL, WINDOW, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(window != MAP_FAILED);
    EXPECT(BYRE_OK, byre__fault_register(window, WINDOW, open_page, window));
    real_start = byre__paged_start;
    real_end = byre__paged_end;
    byre__paged_start = (uintptr_t)window;
    byre__paged_end = byre__paged_start + WINDOW;
    out = window + PAGE + 4001;
    in = window + 2 * MIB + 77;
    may_touch = true;
}

/* Did the call touch the window, as it must? */
#define TOUCHES(call)                           \
    do {                                        \
        unsigned before_ = touches;             \
        close_window();                         \
        call;                                   \
        CHECK(atomic_load(&touches) > before_); \
        close_window();                         \
    } while (0)

/* It must not. */
#define LEAVES_ALONE(call)                     \
    do {                                       \
        unsigned before_ = touches;            \
        close_window();                        \
        call;                                  \
        EQUAL(before_, atomic_load(&touches)); \
    } while (0)

/* ---- messages -------------------------------------------------------------------------------------- */

static const size_t sizes[] = { 1, 100, 4096, 4097, 20000, 70001, MIB };

enum send_kind { SEND, SYNC, ISEND, CALLBACK, EVENTFD, COPY, COW, SEND_KINDS };
enum recv_kind { IRECV_WAIT, IRECV_LOOKED, IRECV_TEST, IRECV_ANY, IRECV_ALL, RECV, RECV_KINDS };

static _Atomic int told;

static void on_sent(int error, void *arg)
{
    EQUAL(BYRE_OK, error);
    CHECK(arg == &told);
    atomic_fetch_add(&told, 1);
}

static byre_request_t send_one(enum send_kind kind, size_t bytes, int event)
{
    byre_addr_t to = at(right(), PORT);
    byre_request_t request = BYRE_REQUEST_NULL;
    byre_notice_t callback = { .kind = BYRE_NOTICE_CALLBACK, .callback = on_sent, .arg = &told };
    byre_notice_t eventfd = { .kind = BYRE_NOTICE_EVENTFD, .eventfd = event };
    switch (kind) {
    case SEND:
        TOUCHES(EXPECT(BYRE_OK, byre_send(to, out, bytes)));
        break;
    case SYNC:
        TOUCHES(EXPECT(BYRE_OK, byre_send_sync(to, out, bytes)));
        break;
    case ISEND:
        TOUCHES(EXPECT(BYRE_OK, byre_isend(to, out, bytes, NULL, &request)));
        break;
    case CALLBACK:
        TOUCHES(EXPECT(BYRE_OK, byre_isend(to, out, bytes, &callback, NULL)));
        break;
    case EVENTFD:
        TOUCHES(EXPECT(BYRE_OK, byre_isend(to, out, bytes, &eventfd, &request)));
        break;
    case COPY:
        TOUCHES(EXPECT(BYRE_OK, byre_isend_copy(to, out, bytes)));
        break;
    case COW:
        TOUCHES(EXPECT(BYRE_OK, byre_isend_cow(to, out, bytes, NULL, &request)));
        break;
    case SEND_KINDS:
        break;
    }
    return request;
}

/* A thread that drives looks for one that is parked; it may not touch the window. */
static void *look(void *request)
{
    UNTIL(byre__request_done(request));
    return NULL;
}

static void looked_at(byre_request_t request)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, look, request) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void collect(enum recv_kind kind, byre_request_t *request, byre_info_t *info)
{
    size_t index = 9;
    byre_request_t two[2] = { BYRE_REQUEST_NULL, *request };
    byre_info_t infos[2];
    int error = BYRE_EAGAIN;
    switch (kind) {
    case IRECV_WAIT:
        error = byre_wait(request, info);
        break;
    case IRECV_LOOKED:
        looked_at(*request);
        error = byre_test(request, info);
        break;
    case IRECV_TEST:
        while ((error = byre_test(request, info)) == BYRE_EAGAIN) (void)sched_yield();
        break;
    case IRECV_ANY:
        error = byre_wait_any(2, two, &index, info);
        EQUAL(1, index);
        break;
    case IRECV_ALL:
        while ((error = byre_test_all(2, two, NULL, infos)) == BYRE_EAGAIN) (void)sched_yield();
        *info = infos[1];
        break;
    case RECV:
        error = byre_recv(PORT, left(), in, MIB, info);
        break;
    case RECV_KINDS:
        break;
    }
    EXPECT(BYRE_OK, error);
}

static void exchange(enum send_kind send, enum recv_kind recv, size_t bytes, size_t room)
{
    uint64_t seed = mix3((uint64_t)send, (uint64_t)recv, bytes);
    byre_request_t receive = BYRE_REQUEST_NULL;
    byre_info_t info = { 0 };
    int event = send == EVENTFD ? eventfd(0, 0) : -1;
    fill(out, bytes, seed + (uint64_t)me);
    memset(in, 0, bytes);
    if (recv != RECV) LEAVES_ALONE(EXPECT(BYRE_OK, byre_irecv(PORT, left(), in, room, &receive)));
    byre_request_t request = send_one(send, bytes, event);
    TOUCHES(collect(recv, &receive, &info));
    EQUAL(bytes, info.bytes);
    EQUAL(left(), info.source);
    CHECK(filled(in, bytes, seed + (uint64_t)left()));
    if (request != BYRE_REQUEST_NULL) LEAVES_ALONE(EXPECT(BYRE_OK, byre_wait(&request, NULL)));
    if (event >= 0) {
        uint64_t count = 0;
        EQUAL(sizeof count, read(event, &count, sizeof count));
        close(event);
    }
}

static void messages(void)
{
    for (int send = 0; send < SEND_KINDS; send++)
        for (int recv = 0; recv < RECV_KINDS; recv++)
            for (size_t i = 0; i < LENGTH(sizes); i++) {
                if (recv == RECV && (send == SEND || send == SYNC)) continue;
                size_t room = i % 2 == 0 ? sizes[i] : MIB; /* staged or not */
                exchange((enum send_kind)send, (enum recv_kind)recv, sizes[i], room);
            }
    EXPECT(BYRE_OK, byre_barrier());
}

/* The same while a large receive waits on another port: then every receive is queued. */
static void queued_messages(void)
{
    byre_request_t waiting;
    LEAVES_ALONE(EXPECT(BYRE_OK, byre_irecv(OTHER_PORT, BYRE_ANY, in, MIB, &waiting)));
    messages();
    EXPECT(BYRE_OK, byre_cancel(&waiting));
    LEAVES_ALONE(EXPECT(BYRE_ECANCELED, byre_wait(&waiting, NULL)));
}

/* Too long for the receive: kept, and taken with the right room. */
static void too_long(size_t room)
{
    byre_request_t receive;
    byre_info_t info;
    fill(out, 70001, 5);
    LEAVES_ALONE(EXPECT(BYRE_OK, byre_irecv(PORT, left(), in, room, &receive)));
    TOUCHES(EXPECT(BYRE_OK, byre_isend_copy(at(right(), PORT), out, 70001)));
    LEAVES_ALONE(EXPECT(BYRE_ETRUNC, byre_wait(&receive, &info)));
    EQUAL(70001, info.bytes);
    LEAVES_ALONE(EXPECT(BYRE_ETRUNC, byre_recv(PORT, left(), in, room, &info)));
    TOUCHES(EXPECT(BYRE_OK, byre_recv(PORT, left(), in, info.bytes, &info)));
    CHECK(filled(in, 70001, 5));
}

/* What else is passed by address may lie there too. */
static void other_arguments(void)
{
    struct {
        byre_notice_t notice;
        byre_info_t info, infos[2];
        byre_request_t requests[3];
        int errors[2];
        size_t index;
        uint64_t value;
        void *message;
    } *all = (void *)(window + 3 * MIB + PAGE + 64);
    all->notice =
        (byre_notice_t){ .kind = BYRE_NOTICE_CALLBACK, .callback = on_sent, .arg = &told };
    all->requests[0] = all->requests[1] = BYRE_REQUEST_NULL;
    byre_addr_t to = at(right(), PORT);
    TOUCHES(EXPECT(BYRE_OK, byre_irecv(PORT, left(), in, 100, &all->requests[2])));
    TOUCHES(EXPECT(BYRE_OK, byre_isend(to, "hello", 6, &all->notice, &all->requests[0])));
    TOUCHES(EXPECT(BYRE_OK, byre_wait(&all->requests[0], NULL)));
    TOUCHES(EXPECT(BYRE_OK, byre_wait_any(3, all->requests, &all->index, &all->info)));
    EQUAL(2, all->index);
    EQUAL(6, all->info.bytes);
    CHECK(strcmp(in, "hello") == 0 && all->requests[2] == BYRE_REQUEST_NULL);

    EXPECT(BYRE_OK, byre_irecv(PORT, left(), in, 100, &all->requests[0]));
    EXPECT(BYRE_OK, byre_isend(to, "again", 6, NULL, &all->requests[1]));
    TOUCHES(EXPECT(BYRE_OK, byre_wait_all(2, all->requests, all->errors, all->infos)));
    EQUAL(6, all->infos[0].bytes);

    /* A kept message, which is looked for under a lock. */
    EXPECT(BYRE_OK, byre_isend_copy(to, "longer", 7));
    EXPECT(BYRE_ETRUNC, byre_recv(PORT, left(), in, 3, NULL));
    TOUCHES(EXPECT(BYRE_OK, byre_poll(PORT, left(), &all->info)));
    EQUAL(7, all->info.bytes);
    TOUCHES(EXPECT(BYRE_OK, byre_get_message(PORT, left(), &all->message, &all->info)));
    CHECK(strcmp(all->message, "longer") == 0);
    free(all->message);
    TOUCHES(EXPECT(BYRE_OK, byre_counter_get("msg_sent", &all->value)));
    EXPECT(BYRE_OK, byre_barrier());
}

/* ---- active messages --------------------------------------------------------------------------------- */

static _Atomic int handled;
static size_t data_bytes, bulk_bytes; /* expected */
static _Atomic int failed_there;

static void on_counted(const byre_am_t *am, void *arg)
{
    (void)arg;
    bool good = am->bytes == data_bytes && am->bulk_bytes == bulk_bytes &&
                filled(am->data, am->bytes, (uint64_t)am->source + 1) &&
                filled(am->bulk, am->bulk_bytes, (uint64_t)am->source + 2);
    if (!good) atomic_store(&failed_there, 1);
    atomic_fetch_add(&handled, 1);
}

static void on_answered(const byre_am_t *am, void *arg)
{
    (void)arg;
    EXPECT(BYRE_OK, byre_am_reply(am, am->data, am->bytes));
}

static byre_am_t later;
static _Atomic int have_later;

static void on_later(const byre_am_t *am, void *arg)
{
    (void)arg;
    later = *am;
    atomic_store(&have_later, 1);
}

/* A thread of the application that answers from the window. */
static void *answer_later(void *arg)
{
    may_touch = true;
    UNTIL(atomic_load(&have_later));
    close_window();
    EXPECT(BYRE_OK, byre_am_reply(&later, out, *(size_t *)arg));
    return NULL;
}

static void active_messages(void)
{
    static const size_t inlines[] = { 0, 1, 64, BYRE_AM_INLINE };
    for (size_t i = 0; i < LENGTH(inlines); i++)
        for (size_t j = 0; j <= LENGTH(sizes); j++) {
            data_bytes = inlines[i];
            bulk_bytes = j > 0 ? sizes[j - 1] : 0;
            atomic_store(&handled, 0);
            EXPECT(BYRE_OK, byre_barrier());
            char *bulk = in;
            fill(out, data_bytes, (uint64_t)me + 1);
            fill(bulk, bulk_bytes, (uint64_t)me + 2);
            close_window();
            EXPECT(BYRE_OK, byre_am_send(right(), COUNTED, data_bytes > 0 ? out : NULL, data_bytes,
                                         bulk_bytes > 0 ? bulk : NULL, bulk_bytes));
            close_window();
            UNTIL(atomic_load(&handled) == 1);
            CHECK(atomic_load(&failed_there) == 0);
        }
    for (size_t i = 1; i < LENGTH(inlines); i++) {
        size_t bytes = inlines[i], got = 0;
        fill(out, bytes, i);
        TOUCHES(EXPECT(BYRE_OK, byre_am_request(right(), ANSWERED, out, bytes, in, MIB, &got)));
        EQUAL(bytes, got);
        CHECK(filled(in, bytes, i));
        memset(in, 0, bytes);
        in[bytes / 2] = 'x';
        TOUCHES(got = 0;
                EXPECT(bytes / 2 < bytes ? BYRE_ETRUNC : BYRE_OK,
                       byre_am_request(right(), ANSWERED, out, bytes, in, bytes / 2, &got)));
        EQUAL(bytes, got);
        CHECK(memcmp(in, out, bytes / 2) == 0 && in[bytes / 2] == 'x');
    }
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t i = 1; i < LENGTH(inlines); i++) {
        size_t bytes = inlines[i], got = 0;
        static char reply[BYRE_AM_INLINE];
        pthread_t thread;
        atomic_store(&have_later, 0);
        fill(out, bytes, i);
        EXPECT(BYRE_OK, byre_barrier());
        CHECK(pthread_create(&thread, NULL, answer_later, &bytes) == 0);
        EXPECT(BYRE_OK, byre_am_request(right(), LATER, NULL, 0, reply, sizeof reply, &got));
        EQUAL(bytes, got);
        CHECK(filled(reply, bytes, i));
        CHECK(pthread_join(thread, NULL) == 0);
    }
}

/* ---- handlers ------------------------------------------------------------------------------------------ */

static byre_request_t for_handler; /* complete */
static _Atomic int tried;

/* Nothing that needs the window is done in a handler. */
static void on_tried(const byre_am_t *am, void *arg)
{
    byre_addr_t to = at(me, PORT);
    byre_request_t request = BYRE_REQUEST_NULL;
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK, .callback = on_sent };
    (void)arg;
    EXPECT(BYRE_ECONTEXT, byre_send(to, out, 10));
    EXPECT(BYRE_ECONTEXT, byre_isend(to, out, 10, NULL, &request));
    EXPECT(BYRE_ECONTEXT, byre_isend(to, out, 10, &notice, NULL));
    EXPECT(BYRE_ECONTEXT, byre_isend_copy(to, out, 10));
    EXPECT(BYRE_ECONTEXT, byre_isend_cow(to, out, 10, NULL, &request));
    EXPECT(BYRE_ECONTEXT, byre_irecv(PORT, me, in, 10, &request));
    EXPECT(BYRE_ECONTEXT, byre_irecv(PORT, me, in, MIB, &request));
    EXPECT(BYRE_ECONTEXT, byre_am_send(me, COUNTED, out, 10, NULL, 0));
    EXPECT(BYRE_ECONTEXT, byre_am_reply(am, out, 10));
    EXPECT(BYRE_ECONTEXT, byre_test(&for_handler, NULL));
    EXPECT(BYRE_ECONTEXT, byre_test_all(1, &for_handler, NULL, NULL));
    EXPECT(BYRE_ECONTEXT, byre_test_any(1, &for_handler, NULL, NULL));
    CHECK(request == BYRE_REQUEST_NULL && for_handler != BYRE_REQUEST_NULL);
    EXPECT(BYRE_OK, byre_am_reply(am, NULL, 0));
    atomic_store(&tried, 1);
}

static void in_handlers(size_t room)
{
    atomic_store(&tried, 0);
    LEAVES_ALONE(EXPECT(BYRE_OK, byre_irecv(PORT, me, in, room, &for_handler)));
    EXPECT(BYRE_OK, byre_isend_copy(at(me, PORT), "self", 5));
    UNTIL(byre__request_done(for_handler));
    LEAVES_ALONE(EXPECT(BYRE_OK, byre_am_request(me, TRIED, NULL, 0, NULL, 0, NULL)));
    CHECK(atomic_load(&tried) == 1);
    TOUCHES(EXPECT(BYRE_OK, byre_wait(&for_handler, NULL)));
    CHECK(strcmp(in, "self") == 0);
}

/* ---- mailboxes ----------------------------------------------------------------------------------------- */

static void mailboxes(void)
{
    struct {
        byre_right_t receive, send, theirs;
        byre_info_t info;
    } *rights = (void *)(window + 3 * MIB + PAGE + 64);
    byre_request_t sent;
    TOUCHES(EXPECT(BYRE_OK, byre_mailbox_create(4, MIB, BYRE_OVERFLOW_BLOCK, &rights->receive,
                                                &rights->send)));
    EXPECT(BYRE_OK, byre_isend(at(left(), PORT), &rights->send, sizeof(byre_right_t), NULL, &sent));
    EXPECT(BYRE_OK, byre_recv(PORT, right(), &rights->theirs, sizeof(byre_right_t), NULL));
    EXPECT(BYRE_OK, byre_wait(&sent, NULL));
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        fill(out, sizes[i], i + (uint64_t)me);
        TOUCHES(EXPECT(BYRE_OK, byre_mailbox_send(&rights->theirs, out, sizes[i], 3)));
        TOUCHES(EXPECT(BYRE_OK, byre_mailbox_recv(&rights->receive, in, MIB, -1, &rights->info)));
        EQUAL(sizes[i], rights->info.bytes);
        EQUAL(left(), rights->info.source);
        EQUAL(3, rights->info.port);
        CHECK(filled(in, sizes[i], i + (uint64_t)left()));
    }
    EXPECT(BYRE_OK, byre_barrier());
    TOUCHES(EXPECT(BYRE_EAGAIN, byre_mailbox_recv(&rights->receive, in, MIB, 0, NULL)));
    TOUCHES(EXPECT(BYRE_ETIMEOUT, byre_mailbox_recv(&rights->receive, in, MIB, 5, NULL)));
    TOUCHES(EXPECT(BYRE_OK, byre_right_move(&rights->receive, &rights->receive)));
    EXPECT(BYRE_OK, byre_barrier());
    TOUCHES(EXPECT(BYRE_OK, byre_mailbox_destroy(&rights->receive)));
}

int main(void)
{
    start();
    make_window();
    EXPECT(BYRE_OK, byre_am_register(COUNTED, on_counted, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(ANSWERED, on_answered, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(LATER, on_later, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(TRIED, on_tried, NULL, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    messages();
    queued_messages();
    too_long(10);
    too_long(5000);
    other_arguments();
    active_messages();
    EXPECT(BYRE_OK, byre_barrier());
    in_handlers(100);
    in_handlers(MIB);
    EXPECT(BYRE_OK, byre_barrier());
    mailboxes();
    EXPECT(BYRE_OK, byre_barrier());
    CHECK(atomic_load(&told) > 0);
    byre__paged_start = real_start;
    byre__paged_end = real_end;
    EXPECT(BYRE_OK, byre__fault_unregister(window));
    int error = finish();
    (void)munmap(window, WINDOW);
    return error;
}
