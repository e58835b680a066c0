/* SPDX-License-Identifier: BSD-3-Clause */
/* Values as bytes: what was packed comes back; what is cut off or spoilt is an error, never a read beyond the end. */
#include "sched/pack.h"
#include "suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char empty[] = "", one[] = "a", two[] = "two words", odd[] = "\xff\x01";
static char *const words[] = { empty, one, two, odd, NULL };

static void pack_all(byre__pack_t *pack)
{
    byre__pack_u8(pack, 0xfe);
    byre__pack_u32(pack, 0x01020304);
    byre__pack_u64(pack, 0x8070605040302010u);
    byre__pack_f64(pack, -0.1);
    byre__pack_bytes(pack, "a\0b", 3);
    byre__pack_bytes(pack, NULL, 0);
    byre__pack_text(pack, "text");
    byre__pack_text(pack, NULL);
    byre__pack_texts(pack, words);
    byre__pack_texts(pack, NULL);
    byre__pack_text(pack, "into");
    byre__pack_raw(pack, "raw", 3);
}

/* The same order; true when it was all right. What is given after an error is zero or empty. */
static bool unpack_all(byre__unpack_t *unpack)
{
    size_t bytes;
    char room[5], *text;
    bool right = byre__unpack_u8(unpack) == 0xfe;
    right = byre__unpack_u32(unpack) == 0x01020304 && right;
    right = byre__unpack_u64(unpack) == 0x8070605040302010u && right;
    double number = byre__unpack_f64(unpack);
    right = fabs(number + 0.1) < 1e-12 && right;
    const void *at = byre__unpack_bytes(unpack, &bytes);
    right = at != NULL && bytes == 3 && memcmp(at, "a\0b", 3) == 0 && right;
    (void)byre__unpack_bytes(unpack, &bytes);
    right = bytes == 0 && right;
    text = byre__unpack_text(unpack);
    right = text != NULL && strcmp(text, "text") == 0 && right;
    free(text);
    text = byre__unpack_text(unpack);
    right = text != NULL && text[0] == '\0' && right;
    free(text);
    char **list = byre__unpack_texts(unpack);
    for (int i = 0; list != NULL && words[i] != NULL; i++)
        right = list[i] != NULL && strcmp(list[i], words[i]) == 0 && right;
    right = list != NULL && right;
    free(list);
    list = byre__unpack_texts(unpack);
    right = list != NULL && list[0] == NULL && right;
    free(list);
    byre__unpack_text_into(unpack, room, sizeof room);
    right = strcmp(room, "into") == 0 && right;
    for (size_t i = 0; i < 3; i++) right = byre__unpack_u8(unpack) == "raw"[i] && right;
    return right;
}

START_TEST(test_round)
{
    byre__pack_t pack = { 0 };
    for (int again = 0; again < 2; again++) {
        pack_all(&pack);
        ck_assert(!pack.failed);
        byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
        ck_assert(unpack_all(&unpack));
        ck_assert(byre__unpack_done(&unpack));
        byre__pack_clear(&pack);
        ck_assert_uint_eq(pack.bytes, 0);
    }
    byre__pack_fini(&pack);
}
END_TEST

START_TEST(test_layout)
{
    static const uint8_t expected[] = { 7, 4, 3, 2, 1, 2, 0, 0, 0, 'h', 'i' };
    byre__pack_t pack = { 0 };
    byre__pack_u8(&pack, 7);
    byre__pack_u32(&pack, 0x01020304);
    byre__pack_text(&pack, "hi");
    ck_assert_uint_eq(pack.bytes, sizeof expected);
    ck_assert(memcmp(pack.data, expected, sizeof expected) == 0);
    byre__pack_fini(&pack);
}
END_TEST

/* A copy of its own size: a sanitizer or valgrind sees a read beyond it. */
START_TEST(test_cut_off)
{
    byre__pack_t pack = { 0 };
    pack_all(&pack);
    for (size_t left = 0; left < pack.bytes; left++) {
        uint8_t *copy = malloc(left + 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, pack.data, left);
        byre__unpack_t unpack = byre__unpack_of(copy, left);
        ck_assert(!unpack_all(&unpack));
        ck_assert(!byre__unpack_done(&unpack));
        ck_assert_uint_eq(byre__unpack_u64(&unpack), 0); /* it stays in error */
        ck_assert_ptr_null(byre__unpack_text(&unpack));
        ck_assert_ptr_null(byre__unpack_texts(&unpack));
        free(copy);
    }
    byre__pack_raw(&pack, "x", 1);
    byre__unpack_t unpack = byre__unpack_of(pack.data, pack.bytes);
    ck_assert(unpack_all(&unpack));
    ck_assert(!byre__unpack_done(&unpack)); /* something is left over */
    byre__pack_fini(&pack);
}
END_TEST

START_TEST(test_bad_texts)
{
    static const uint8_t zero_inside[] = { 3, 0, 0, 0, 'a', 0, 'b' },
                         huge[] = { 255, 255, 255, 255, 'a' };
    static const uint8_t many[] = { 255, 255, 255, 255, 1, 0, 0, 0, 'a' };
    static const uint8_t five[] = { 5, 0, 0, 0, 'a', 'b', 'c', 'd', 'e' };
    char room[5] = "junk";
    byre__unpack_t unpack = byre__unpack_of(zero_inside, sizeof zero_inside);
    ck_assert_ptr_null(byre__unpack_text(&unpack));
    ck_assert(unpack.failed);
    unpack = byre__unpack_of(huge, sizeof huge);
    ck_assert_ptr_null(byre__unpack_text(&unpack));
    unpack = byre__unpack_of(many, sizeof many);
    ck_assert_ptr_null(byre__unpack_texts(&unpack));
    ck_assert(unpack.failed);
    unpack = byre__unpack_of(five, sizeof five);
    byre__unpack_text_into(&unpack, room, sizeof room); /* no room for the zero */
    ck_assert(unpack.failed);
    ck_assert_str_eq(room, "");
}
END_TEST

START_TEST(test_failed_packer)
{
    byre__pack_t pack = { 0 };
    byre__pack_u32(&pack, 1);
    pack.failed = true;
    byre__pack_text(&pack, "dropped");
    ck_assert_uint_eq(pack.bytes, 4);
    ck_assert(pack.failed);
    byre__pack_fini(&pack);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_pack");
    TCase *tests = tcase_create("pack");
    tcase_add_test(tests, test_round);
    tcase_add_test(tests, test_layout);
    tcase_add_test(tests, test_cut_off);
    tcase_add_test(tests, test_bad_texts);
    tcase_add_test(tests, test_failed_packer);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
