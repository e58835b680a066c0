/* SPDX-License-Identifier: BSD-3-Clause */
/* The queue of a mailbox: each policy by example, then random operations against a naive model. */
#include "mailbox_queue.h"
#include "suite.h"

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    byre__mq_item_t link;
    int number;
};

static int number_of(const byre__mq_item_t *link)
{
    return link == NULL ? -1 : ((const struct item *)link)->number;
}

static byre__mq_item_t *make(int number, int priority)
{
    struct item *item = malloc(sizeof *item);
    ck_assert_ptr_nonnull(item);
    item->link.priority = priority;
    item->link.next = (byre__mq_item_t *)(uintptr_t)0x5a5a; /* whatever was there before */
    item->number = number;
    return &item->link;
}

/* Put an item with this number; returns the number of what was dropped, -1 nothing, -2 refused. */
static int put(byre__mq_t *queue, int number, int priority)
{
    if (!byre__mq_reserve(queue)) return -2;
    byre__mq_item_t *dropped = byre__mq_put(queue, make(number, priority));
    int which = number_of(dropped);
    free(dropped);
    return which;
}

static int take(byre__mq_t *queue)
{
    byre__mq_item_t *first = byre__mq_first(queue), *item = byre__mq_take(queue);
    int number = number_of(item);
    ck_assert_ptr_eq(first, item);
    free(item);
    return number;
}

START_TEST(test_empty)
{
    byre__mq_t queue;
    byre__mq_init(&queue, 3, BYRE_OVERFLOW_BLOCK);
    ck_assert_ptr_null(byre__mq_first(&queue));
    ck_assert_ptr_null(byre__mq_take(&queue));
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(test_priority_then_order)
{
    byre__mq_t queue;
    byre__mq_init(&queue, 10, BYRE_OVERFLOW_BLOCK);
    static const int priorities[] = { 3, 0, 7, 3, 7, 0, 5 }, expected[] = { 2, 4, 6, 0, 3, 1, 5 };
    for (int i = 0; i < 7; i++) ck_assert_int_eq(put(&queue, i, priorities[i]), -1);
    for (int i = 0; i < 7; i++) ck_assert_int_eq(take(&queue), expected[i]);
    ck_assert_int_eq(take(&queue), -1);
}
END_TEST

START_TEST(test_full)
{
    byre__mq_t queue;
    for (int policy = BYRE_OVERFLOW_BLOCK; policy <= BYRE_OVERFLOW_REFUSE; policy++) {
        byre__mq_init(&queue, 2, (byre_overflow_t)policy);
        ck_assert_int_eq(put(&queue, 0, 1), -1);
        ck_assert_int_eq(put(&queue, 1, 1), -1);
        ck_assert_int_eq(put(&queue, 2, 7), -2);
        ck_assert_int_eq(take(&queue), 0);
        ck_assert_int_eq(put(&queue, 3, 0), -1);
        ck_assert_int_eq(take(&queue), 1);
        ck_assert_int_eq(take(&queue), 3);
    }
}
END_TEST

START_TEST(test_reservations_count)
{
    byre__mq_t queue;
    byre__mq_init(&queue, 2, BYRE_OVERFLOW_REFUSE);
    ck_assert(byre__mq_reserve(&queue));
    ck_assert_int_eq(put(&queue, 0, 1), -1);
    ck_assert(!byre__mq_reserve(&queue));
    byre__mq_unreserve(&queue);
    ck_assert(byre__mq_reserve(&queue));
    ck_assert_ptr_null(byre__mq_put(&queue, make(1, 2)));
    ck_assert_int_eq(put(&queue, 2, 1), -2);
    ck_assert_int_eq(take(&queue), 1);
    ck_assert_int_eq(take(&queue), 0);
}
END_TEST

START_TEST(test_drop_oldest_of_lowest)
{
    byre__mq_t queue;
    byre__mq_init(&queue, 3, BYRE_OVERFLOW_DROP_OLDEST);
    ck_assert_int_eq(put(&queue, 0, 4), -1);
    ck_assert_int_eq(put(&queue, 1, 2), -1);
    ck_assert_int_eq(put(&queue, 2, 2), -1);
    ck_assert_int_eq(put(&queue, 3, 2), 1); /* equal to the lowest: the oldest of them goes */
    ck_assert_int_eq(put(&queue, 4, 6), 2);
    ck_assert_int_eq(put(&queue, 5, 1), 5); /* lower than all: goes itself */
    ck_assert_int_eq(put(&queue, 6, 7), 3);
    ck_assert_int_eq(put(&queue, 7, 7), 0);
    ck_assert_int_eq(take(&queue), 6);
    ck_assert_int_eq(take(&queue), 7);
    ck_assert_int_eq(take(&queue), 4);
    ck_assert_int_eq(take(&queue), -1);
}
END_TEST

START_TEST(test_put_back)
{
    byre__mq_t queue;
    byre__mq_init(&queue, 2, BYRE_OVERFLOW_REFUSE);
    ck_assert_int_eq(put(&queue, 0, 3), -1);
    ck_assert_int_eq(put(&queue, 1, 3), -1);
    byre__mq_item_t *first = byre__mq_take(&queue), *second = byre__mq_take(&queue);
    byre__mq_put_back(&queue, second);
    ck_assert_int_eq(put(&queue, 2, 3), -1);
    byre__mq_put_back(&queue, first); /* one more than the capacity */
    ck_assert_uint_eq(queue.count, 3);
    ck_assert_int_eq(put(&queue, 3, 3), -2);
    ck_assert_int_eq(take(&queue), 0);
    ck_assert_int_eq(put(&queue, 3, 3), -2);
    ck_assert_int_eq(take(&queue), 1);
    ck_assert_int_eq(put(&queue, 3, 3), -1);
    ck_assert_int_eq(take(&queue), 2);
    ck_assert_int_eq(take(&queue), 3);
}
END_TEST

/* ---- the model: an array in the order of arrival, searched from end to end ------------------- */

enum { MOST = 64, LENT = 6, STEPS = 8000 };

struct model {
    struct {
        int number, priority;
    } items[MOST];
    size_t count, reserved, capacity;
    byre_overflow_t policy;
};

static size_t model_lowest(const struct model *model)
{
    size_t best = 0;
    for (size_t i = 1; i < model->count; i++)
        if (model->items[i].priority < model->items[best].priority) best = i;
    return best;
}

static size_t model_highest(const struct model *model)
{
    size_t best = 0;
    for (size_t i = 1; i < model->count; i++)
        if (model->items[i].priority > model->items[best].priority) best = i;
    return best;
}

static int model_remove(struct model *model, size_t at)
{
    int number = model->items[at].number;
    model->count--;
    memmove(&model->items[at], &model->items[at + 1], (model->count - at) * sizeof model->items[0]);
    return number;
}

static void model_insert(struct model *model, size_t at, int number, int priority)
{
    ck_assert_uint_lt(model->count, MOST);
    memmove(&model->items[at + 1], &model->items[at], (model->count - at) * sizeof model->items[0]);
    model->items[at].number = number;
    model->items[at].priority = priority;
    model->count++;
}

static bool model_reserve(struct model *model)
{
    if (model->policy != BYRE_OVERFLOW_DROP_OLDEST &&
        model->count + model->reserved >= model->capacity)
        return false;
    model->reserved++;
    return true;
}

static int model_put(struct model *model, int number, int priority)
{
    int dropped = -1;
    model->reserved--;
    if (model->policy == BYRE_OVERFLOW_DROP_OLDEST && model->count >= model->capacity) {
        size_t lowest = model_lowest(model);
        if (priority < model->items[lowest].priority) return number;
        dropped = model_remove(model, lowest);
    }
    model_insert(model, model->count, number, priority);
    return dropped;
}

/* ---- both, step by step ---------------------------------------------------------------------- */

struct both {
    byre__mq_t queue;
    struct model model;
    byre__mq_item_t *lent[LENT]; /* taken, and perhaps to be put back */
    int lent_count, next;
};

static void step_put(struct both *both)
{
    int priority = rand() % BYRE__MAILBOX_PRIORITIES, number = both->next++;
    byre__mq_item_t *dropped = byre__mq_put(&both->queue, make(number, priority));
    ck_assert_int_eq(number_of(dropped), model_put(&both->model, number, priority));
    free(dropped);
}

static void step_take(struct both *both)
{
    byre__mq_item_t *first = byre__mq_first(&both->queue), *item = byre__mq_take(&both->queue);
    int expected = -1;
    if (both->model.count > 0) expected = model_remove(&both->model, model_highest(&both->model));
    ck_assert_ptr_eq(first, item);
    ck_assert_int_eq(number_of(item), expected);
    if (item != NULL && both->lent_count < LENT && rand() % 4 == 0)
        both->lent[both->lent_count++] = item;
    else
        free(item);
}

static void step_put_back(struct both *both)
{
    if (both->lent_count == 0) return;
    byre__mq_item_t *item = both->lent[--both->lent_count];
    model_insert(&both->model, 0, number_of(item), item->priority); /* older than everything */
    byre__mq_put_back(&both->queue, item);
}

static void step(struct both *both)
{
    switch (rand() % 8) {
    case 0:
    case 1:
    case 2: {
        bool room = byre__mq_reserve(&both->queue);
        ck_assert_int_eq(room, model_reserve(&both->model));
        if (room && rand() % 3 > 0) step_put(both);
        break;
    }
    case 3: /* a long message arrives, or its sender died */
        if (both->model.reserved == 0) break;
        if (rand() % 2) {
            step_put(both);
        } else {
            byre__mq_unreserve(&both->queue);
            both->model.reserved--;
        }
        break;
    case 4:
        step_put_back(both);
        break;
    default:
        step_take(both);
    }
    ck_assert_uint_eq(both->queue.count, both->model.count);
    ck_assert_uint_eq(both->queue.reserved, both->model.reserved);
}

START_TEST(test_against_model)
{
    srand((unsigned)_i + 1);
    struct both both = { .next = 0 };
    both.model.capacity = 1 + (size_t)(rand() % 12);
    both.model.policy = (byre_overflow_t)(_i % 3);
    byre__mq_init(&both.queue, both.model.capacity, both.model.policy);
    for (int i = 0; i < STEPS; i++) step(&both);
    while (both.model.count > 0) step_take(&both);
    step_take(&both);
    while (both.lent_count > 0) free(both.lent[--both.lent_count]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox_queue");
    TCase *tests = tcase_create("mailbox_queue");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, test_empty);
    tcase_add_test(tests, test_priority_then_order);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_reservations_count);
    tcase_add_test(tests, test_drop_oldest_of_lowest);
    tcase_add_test(tests, test_put_back);
    tcase_add_loop_test(tests, test_against_model, 0, 24);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
