/* SPDX-License-Identifier: BSD-3-Clause */
/* All variants at once: several threads of each rank send messages of random length in random ways to
 * random ranks and ports; receivers of four kinds check length, bytes and order. The whole traffic
 * follows from one seed, which is printed: BYRE_TEST_SEED=... repeats it. BYRE_TEST_STRESS=10 makes it
 * ten times as long.
 * time-limit: 120
 */
#include "testing.h"
#include <pthread.h>

enum { SENDERS = 3, COPY_ROOM = 1024 * 1024 };

/* Ports, which are also the kinds of receivers; AM goes to handlers. */
enum { BY_RECV, BY_IRECV, BY_GET, BY_POPUP, BY_AM, KINDS };
enum { AM_ASKED = 1 };
enum { SEED_PORT = 50 };

struct head {
    int32_t source, sender, kind,
        number;     /* the number counts what one sender sends to one (rank, kind) */
    uint64_t bytes; /* of the whole message */
    uint64_t seed;  /* of what follows the head */
};

struct plan { /* what the i-th message of a sender is */
    int to, kind;
    unsigned how;
    size_t bytes;
};

static uint64_t seed;
static int per_sender = 800;
static _Atomic int *next_of; /* [source][sender][kind] */
static _Atomic int am_left, popup_left;

static struct plan plan_of(int rank, int sender, int i)
{
    uint64_t dice = mix3(seed, (uint64_t)(rank * SENDERS + sender), (uint64_t)i);
    struct plan plan;
    plan.to = (int)(mix(dice + 1) % (uint64_t)ranks);
    plan.kind = (int)(mix(dice + 2) % KINDS);
    plan.how = (unsigned)mix(dice + 3);
    uint64_t size = mix(dice + 4), sort = size % 100;
    size >>= 8;
    plan.bytes = sort < 60   ? size % 300
                 : sort < 85 ? size % 6000
                 : sort < 97 ? size % 80000
                             : size % COPY_ROOM;
    plan.bytes += sizeof(struct head);
    return plan;
}

static _Atomic int *counter_of(int source, int sender, int kind)
{
    return &next_of[(source * SENDERS + sender) * KINDS + kind];
}

/* A message as it should be; ordered: the next one of its sender for this kind. */
static void check_message(const void *message, size_t bytes, int source, int kind, bool ordered)
{
    struct head head;
    CHECK(bytes >= sizeof head);
    memcpy(&head, message, sizeof head);
    EQUAL(source, head.source);
    EQUAL(kind, head.kind);
    EQUAL(bytes, head.bytes);
    CHECK(head.sender >= 0 && head.sender < SENDERS);
    int number = atomic_fetch_add(counter_of(source, head.sender, kind), 1);
    if (ordered) EQUAL(number, head.number);
    CHECK(filled((const char *)message + sizeof head, bytes - sizeof head, head.seed));
}

/* ---- receivers ---------------------------------------------------------------------------- */

static int expected(int kind)
{
    int count = 0;
    for (int r = 0; r < ranks; r++) {
        for (int s = 0; s < SENDERS; s++) {
            for (int i = 0; i < per_sender; i++) {
                struct plan plan = plan_of(r, s, i);
                count += plan.to == me && plan.kind == kind;
            }
        }
    }
    return count;
}

/* Blocking, from any; the room is often too short at first. */
static void *by_recv(void *arg)
{
    char *room = room_for(2 * COPY_ROOM);
    uint64_t dice = seed;
    for (int left_over = *(int *)arg; left_over > 0; left_over--) {
        byre_info_t info;
        size_t first = draw(&dice, 3) == 0 ? draw(&dice, 5000) : 2 * COPY_ROOM;
        int error = byre_recv(BY_RECV, BYRE_ANY, room, first, &info);
        if (error == BYRE_ETRUNC) {
            CHECK(info.bytes > first);
            byre_info_t again;
            EXPECT(BYRE_OK, byre_recv(BY_RECV, info.source, room, info.bytes, &again));
            EQUAL(info.bytes, again.bytes);
        } else {
            EXPECT(BYRE_OK, error);
        }
        check_message(room, info.bytes, info.source, BY_RECV, true);
    }
    free(room);
    return NULL;
}

/* A window of nonblocking receives, with a cancel now and then. */
static void *by_irecv(void *arg)
{
    enum { WINDOW = 4 };
    char *rooms[WINDOW];
    byre_request_t reqs[WINDOW] = { NULL };
    uint64_t dice = seed + 1;
    int begun = 0, done = 0, all = *(int *)arg;
    for (int i = 0; i < WINDOW; i++) rooms[i] = room_for(2 * COPY_ROOM);
    while (done < all) {
        while (begun < all && begun - done < WINDOW) {
            int i = begun % WINDOW;
            EXPECT(BYRE_OK, byre_irecv(BY_IRECV, BYRE_ANY, rooms[i], 2 * COPY_ROOM, &reqs[i]));
            begun++;
        }
        byre_info_t info;
        int i = done % WINDOW;
        if (begun - done == 1 && draw(&dice, 4) == 0) EXPECT(BYRE_OK, byre_cancel(&reqs[i]));
        int error = byre_wait(&reqs[i], &info);
        if (error == BYRE_ECANCELED) {
            begun--;
            continue;
        }
        EXPECT(BYRE_OK, error);
        check_message(rooms[i], info.bytes, info.source, BY_IRECV, true);
        done++;
    }
    for (int i = 0; i < WINDOW; i++) free(rooms[i]);
    return NULL;
}

static void *by_get(void *arg)
{
    for (int left_over = *(int *)arg; left_over > 0;) {
        void *message;
        byre_info_t info;
        int error = byre_get_message(BY_GET, BYRE_ANY, &message, &info);
        if (error == BYRE_EAGAIN) {
            (void)sched_yield();
            continue;
        }
        EXPECT(BYRE_OK, error);
        check_message(message, info.bytes, info.source, BY_GET, true);
        free(message);
        left_over--;
    }
    return NULL;
}

static void popup(void *msg, const byre_info_t *info, void *arg)
{
    (void)arg;
    check_message(msg, info->bytes, info->source, BY_POPUP, false);
    atomic_fetch_sub(&popup_left, 1);
}

/* The head is in the inline payload; the rest may be bulk. */
static void am_handler(const byre_am_t *am, void *arg)
{
    struct head head;
    (void)arg;
    memcpy(&head, am->data, sizeof head);
    EQUAL(head.bytes, am->bytes + am->bulk_bytes);
    EQUAL(am->source, head.source);
    int number = atomic_fetch_add(counter_of(am->source, head.sender, BY_AM), 1);
    EQUAL(number, head.number);
    if (am->bulk_bytes > 0) {
        EQUAL(sizeof head, am->bytes);
        CHECK(filled(am->bulk, am->bulk_bytes, head.seed));
    } else {
        CHECK(filled((const char *)am->data + sizeof head, am->bytes - sizeof head, head.seed));
    }
    if (am->call != 0) EXPECT(BYRE_OK, byre_am_reply(am, &head, sizeof head));
    atomic_fetch_sub(&am_left, 1);
}

/* ---- senders ------------------------------------------------------------------------------ */

enum { SLOTS = 4 };

struct slot {
    char *buf;
    byre_request_t req;
    _Atomic int told;
    bool waits_for_notice;
};

static void tell(int error, void *arg)
{
    EXPECT(BYRE_OK, error);
    atomic_store((_Atomic int *)arg, 1);
}

static void make_free(struct slot *slot)
{
    EXPECT(BYRE_OK, byre_wait(&slot->req, NULL));
    if (slot->waits_for_notice) UNTIL(atomic_load(&slot->told) == 1);
    slot->waits_for_notice = false;
}

static void send_am(const struct plan *plan, const struct head *head, char *buf)
{
    bool inlined = plan->bytes <= BYRE_AM_INLINE;
    if (inlined && plan->how % 2 == 0) {
        struct head answer;
        size_t bytes = 0;
        EXPECT(BYRE_OK, byre_am_request(plan->to, AM_ASKED, buf, plan->bytes, &answer,
                                        sizeof answer, &bytes));
        EQUAL(sizeof answer, bytes);
        EQUAL(head->seed, answer.seed);
    } else if (inlined) {
        EXPECT(BYRE_OK, byre_am_send(plan->to, AM_ASKED, buf, plan->bytes, NULL, 0));
    } else {
        EXPECT(BYRE_OK, byre_am_send(plan->to, AM_ASKED, buf, sizeof *head, buf + sizeof *head,
                                     plan->bytes - sizeof *head));
    }
}

static void send_message(const struct plan *plan, struct slot *slot, char *buf)
{
    byre_addr_t to = at(plan->to, plan->kind);
    byre_notice_t notice = { .kind = BYRE_NOTICE_CALLBACK, .callback = tell, .arg = &slot->told };
    switch (plan->how % 6) {
    case 0:
        EXPECT(BYRE_OK, byre_send(to, buf, plan->bytes));
        break;
    case 1:
        EXPECT(BYRE_OK, byre_send_sync(to, buf, plan->bytes));
        break;
    case 2:
        EXPECT(BYRE_OK, byre_isend(to, buf, plan->bytes, NULL, &slot->req));
        break;
    case 3:
        slot->waits_for_notice = true;
        atomic_store(&slot->told, 0);
        EXPECT(BYRE_OK, byre_isend(to, buf, plan->bytes, &notice, NULL));
        break;
    case 4:
        EXPECT(BYRE_OK, byre_isend_copy(to, buf, plan->bytes));
        memset(buf, 0xdd, plan->bytes);
        break;
    default:
        EXPECT(BYRE_OK, byre_isend_cow(to, buf, plan->bytes, NULL, &slot->req));
        memset(buf, 0xee, plan->bytes);
    }
}

static void *sender(void *arg)
{
    int s = *(int *)arg;
    struct slot slots[SLOTS];
    int *numbers = calloc((size_t)ranks * KINDS, sizeof *numbers);
    CHECK(numbers != NULL);
    memset(slots, 0, sizeof slots);
    for (int i = 0; i < SLOTS; i++) slots[i].buf = room_for(2 * COPY_ROOM);
    for (int i = 0; i < per_sender; i++) {
        struct plan plan = plan_of(me, s, i);
        struct slot *slot = &slots[i % SLOTS];
        make_free(slot);
        char *buf = slot->buf + plan.how / 8 % 16;
        struct head head = { .source = me, .sender = s, .kind = plan.kind, .bytes = plan.bytes };
        head.number = numbers[plan.to * KINDS + plan.kind]++;
        head.seed = mix3(seed, (uint64_t)s, (uint64_t)i);
        memcpy(buf, &head, sizeof head);
        fill(buf + sizeof head, plan.bytes - sizeof head, head.seed);
        if (plan.kind == BY_AM)
            send_am(&plan, &head, buf);
        else
            send_message(&plan, slot, buf);
    }
    for (int i = 0; i < SLOTS; i++) {
        make_free(&slots[i]);
        free(slots[i].buf);
    }
    free(numbers);
    return NULL;
}

/* ---- the test ----------------------------------------------------------------------------- */

static void agree_on_a_seed(void)
{
    if (me == 0) {
        const char *wanted = getenv("BYRE_TEST_SEED");
        seed = wanted != NULL ? strtoull(wanted, NULL, 0)
                              : mix((uint64_t)time(NULL) ^ (uint64_t)getpid() << 32);
        printf("seed: BYRE_TEST_SEED=0x%llx\n", (unsigned long long)seed);
        fflush(stdout);
        for (int r = 1; r < ranks; r++)
            EXPECT(BYRE_OK, byre_send(at(r, SEED_PORT), &seed, sizeof seed));
    } else {
        EXPECT(BYRE_OK, byre_recv(SEED_PORT, 0, &seed, sizeof seed, NULL));
    }
}

int main(void)
{
    static void *(*const receivers[])(void *) = { by_recv, by_irecv, by_get };
    pthread_t sending[SENDERS], receiving[LENGTH(receivers)];
    int senders[SENDERS], counts[LENGTH(receivers)];
    start();
    if (getenv("BYRE_TEST_STRESS") != NULL) per_sender *= atoi(getenv("BYRE_TEST_STRESS"));
    agree_on_a_seed();
    next_of = calloc((size_t)ranks * SENDERS * KINDS, sizeof *next_of);
    CHECK(next_of != NULL);
    atomic_store(&popup_left, expected(BY_POPUP));
    atomic_store(&am_left, expected(BY_AM));
    EXPECT(BYRE_OK, byre_am_register(AM_ASKED, am_handler, NULL, NULL));
    EXPECT(BYRE_OK, byre_port_popup(BY_POPUP, popup, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    for (size_t k = 0; k < LENGTH(receivers); k++) {
        counts[k] = expected((int)k);
        CHECK(pthread_create(&receiving[k], NULL, receivers[k], &counts[k]) == 0);
    }
    for (int s = 0; s < SENDERS; s++) {
        senders[s] = s;
        CHECK(pthread_create(&sending[s], NULL, sender, &senders[s]) == 0);
    }
    for (int s = 0; s < SENDERS; s++) pthread_join(sending[s], NULL);
    for (size_t k = 0; k < LENGTH(receivers); k++) pthread_join(receiving[k], NULL);
    UNTIL(atomic_load(&popup_left) == 0 && atomic_load(&am_left) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int port = 0; port < BY_POPUP; port++)
        EXPECT(BYRE_EAGAIN, byre_poll(port, BYRE_ANY, NULL));
    EXPECT(BYRE_OK, byre_port_popup(BY_POPUP, NULL, NULL));
    int error = finish();
    free((void *)next_of);
    return error;
}
