/* SPDX-License-Identifier: BSD-3-Clause */
/* Request and reply: at once, from another thread after the handler has returned, out of order, by
 * many threads; replies that do not fit; ids that are unknown. */
#include "testing.h"
#include <pthread.h>

enum { DOUBLE = 1, LATER, LONG, CHAIN, NOBODY, TIMES = 300, THREADS = 4 };

static void double_it(const byre_am_t *am, void *arg)
{
    int64_t number;
    (void)arg;
    CHECK(am->call != 0);
    EQUAL(sizeof number, am->bytes);
    memcpy(&number, am->data, sizeof number);
    number *= 2;
    EXPECT(BYRE_OK, byre_am_reply(am, &number, sizeof number));
}

/* As many bytes as asked for. */
static void long_reply(const byre_am_t *am, void *arg)
{
    static char data[BYRE_AM_INLINE + 1];
    size_t bytes;
    (void)arg;
    memcpy(&bytes, am->data, sizeof bytes);
    fill(data, bytes, bytes);
    EXPECT(BYRE_ERANGE, byre_am_reply(am, data, sizeof data));
    EXPECT(BYRE_OK, byre_am_reply(am, bytes ? data : NULL, bytes));
}

/* Requests that are kept; a thread answers them, the newest first. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct {
        byre_am_t am;
        int64_t number;
    } kept[64];
    int count;
    bool over;
} desk = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

static void keep(const byre_am_t *am, void *arg)
{
    (void)arg;
    pthread_mutex_lock(&desk.lock);
    CHECK(desk.count < 64);
    desk.kept[desk.count].am = *am;
    memcpy(&desk.kept[desk.count].number, am->data, sizeof(int64_t));
    desk.count++;
    pthread_cond_signal(&desk.more);
    pthread_mutex_unlock(&desk.lock);
}

static void *clerk(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&desk.lock);
    for (;;) {
        while (desk.count == 0 && !desk.over) pthread_cond_wait(&desk.more, &desk.lock);
        if (desk.count == 0) break;
        desk.count--;
        byre_am_t am = desk.kept[desk.count].am;
        int64_t answer = desk.kept[desk.count].number + 1;
        pthread_mutex_unlock(&desk.lock);
        EXPECT(BYRE_OK, byre_am_reply(&am, &answer, sizeof answer));
        pthread_mutex_lock(&desk.lock);
    }
    pthread_mutex_unlock(&desk.lock);
    return NULL;
}

static void ask(int to, int id, int64_t number, int64_t expected)
{
    int64_t answer = -1;
    size_t bytes = 0;
    EXPECT(BYRE_OK,
           byre_am_request(to, id, &number, sizeof number, &answer, sizeof answer, &bytes));
    EQUAL(sizeof answer, bytes);
    EQUAL(expected, answer);
}

static void *asker(void *arg)
{
    int64_t t = *(int *)arg;
    for (int64_t i = 0; i < TIMES; i++) {
        int to = (int)((t + i) % ranks);
        ask(to, DOUBLE, t * 1000000 + i, 2 * (t * 1000000 + i));
        ask(to, LATER, t * 1000000 + i, t * 1000000 + i + 1);
    }
    return NULL;
}

static void replies_of_all_lengths(void)
{
    static const size_t sizes[] = { 0, 1, 100, 4000, BYRE_AM_INLINE };
    char room[BYRE_AM_INLINE + 8];
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        size_t bytes = 77, size = sizes[i];
        memset(room, 'z', sizeof room);
        EXPECT(BYRE_OK, byre_am_request(right(), LONG, &size, sizeof size, size ? room : NULL, size,
                                        &bytes));
        EQUAL(size, bytes);
        CHECK(filled(room, size, size));
        CHECK(room[size] == 'z');
        if (size == 0) continue;
        memset(room, 'z', sizeof room);
        EXPECT(BYRE_ETRUNC,
               byre_am_request(right(), LONG, &size, sizeof size, room, size / 2, &bytes));
        EQUAL(size, bytes);
        char expected[BYRE_AM_INLINE];
        fill(expected, size, size);
        CHECK(memcmp(room, expected, size / 2) == 0);
        CHECK(room[size / 2] == 'z');
        EXPECT(BYRE_ETRUNC, byre_am_request(right(), LONG, &size, sizeof size, NULL, 0, NULL));
        EXPECT(BYRE_OK,
               byre_am_request(right(), LONG, &size, sizeof size, room, sizeof room, NULL));
    }
}

/* The reply that ends the sender's wait may be the fruit of more messages: the handler asks another
 * rank's handler by a plain send, which replies to the first sender's call by way of this rank. */
static struct {
    byre_am_t waiting;
} relay;

static void chain(const byre_am_t *am, void *arg)
{
    (void)arg;
    int64_t left_over;
    memcpy(&left_over, am->data, sizeof left_over);
    if (am->call != 0) relay.waiting = *am;
    if (left_over > 0) {
        left_over--;
        EXPECT(BYRE_OK, byre_am_send(right(), CHAIN, &left_over, sizeof left_over, NULL, 0));
    }
    if (left_over == 0 && relay.waiting.call != 0 && am->call == 0) {
        EXPECT(BYRE_OK, byre_am_reply(&relay.waiting, &left_over, sizeof left_over));
        relay.waiting.call = 0;
    }
}

int main(void)
{
    pthread_t threads[THREADS], answering;
    int numbers[THREADS];
    size_t bytes = 9;
    start();
    EXPECT(BYRE_OK, byre_am_register(DOUBLE, double_it, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(LATER, keep, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(LONG, long_reply, NULL, NULL));
    EXPECT(BYRE_OK, byre_am_register(CHAIN, chain, NULL, NULL));
    CHECK(pthread_create(&answering, NULL, clerk, NULL) == 0);
    EXPECT(BYRE_OK, byre_barrier());
    for (int i = 0; i < TIMES; i++) ask(i % ranks, DOUBLE, i, 2 * i);
    for (int i = 0; i < TIMES; i++) ask(i % ranks, LATER, i, i + 1);
    replies_of_all_lengths();
    for (int t = 0; t < THREADS; t++) {
        numbers[t] = t;
        CHECK(pthread_create(&threads[t], NULL, asker, &numbers[t]) == 0);
    }
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    EXPECT(BYRE_ENOTFOUND, byre_am_request(right(), NOBODY, NULL, 0, NULL, 0, &bytes));
    EXPECT(BYRE_ENOTFOUND, byre_am_request(me, NOBODY, &bytes, 8, NULL, 0, NULL));
    EXPECT(BYRE_OK, byre_barrier());
    /* One at a time: rank 0's request goes all round the ring before it is answered. */
    if (me == 0) {
        int64_t far = ranks, answer = -1;
        EXPECT(BYRE_OK,
               byre_am_request(right(), CHAIN, &far, sizeof far, &answer, sizeof answer, NULL));
        EQUAL(0, answer);
    }
    EXPECT(BYRE_OK, byre_barrier());
    pthread_mutex_lock(&desk.lock);
    desk.over = true;
    pthread_cond_signal(&desk.more);
    pthread_mutex_unlock(&desk.lock);
    pthread_join(answering, NULL);
    return finish();
}
