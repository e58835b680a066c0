/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames on a stream socket: whole and in order however the stream is cut, bounded, refused when they are none; and the
 * sockets themselves. */
#include "sched/frame.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static byre__stream_t a, b;
static int raw; /* the other end of b, when a is not used */

static void setup(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    byre__stream_init(&a, ends[0]);
    byre__stream_init(&b, ends[1]);
    raw = ends[0];
    ck_assert_int_ne(fcntl(raw, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(raw, F_GETFD) & FD_CLOEXEC, 0);
}

static void teardown(void)
{
    byre__stream_fini(&a);
    byre__stream_fini(&b);
}

static uint8_t byte_of(uint32_t tag, size_t at)
{
    return (uint8_t)((tag * 31 + at * 7 + at / 251) & 255);
}

static void put(uint32_t tag, size_t packed, size_t behind)
{
    byre__pack_t payload = { 0 };
    uint8_t *bytes = malloc(packed + behind + 1);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < packed + behind; i++) bytes[i] = byte_of(tag, i);
    byre__pack_raw(&payload, bytes, packed);
    ck_assert_int_eq(byre__stream_put_with(&a, (uint16_t)(tag + 1), tag,
                                           packed > 0 ? &payload : NULL, bytes + packed, behind),
                     BYRE_OK);
    free(bytes);
    byre__pack_fini(&payload);
}

static void check(const byre__frame_t *frame, const byre__unpack_t *payload, uint32_t tag,
                  size_t bytes)
{
    ck_assert_uint_eq(frame->tag, tag);
    ck_assert_uint_eq(frame->type, (uint16_t)(tag + 1));
    ck_assert_uint_eq(frame->bytes, bytes);
    ck_assert_uint_eq((size_t)(payload->end - payload->at), bytes);
    size_t wrong = 0;
    for (size_t i = 0; i < bytes; i++) wrong += payload->at[i] != byte_of(tag, i);
    ck_assert_uint_eq(wrong, 0);
}

static size_t size_of(uint32_t tag)
{
    return tag % 40 == 39 ? 3000000 : tag % 7 == 6 ? 70000 : tag * 13 % 300;
}

/* Far more than a socket holds: nobody blocks, and it all comes. */
START_TEST(test_many)
{
    enum { MANY = 120 };
    uint32_t sent = 0, got = 0;
    while (got < MANY) {
        byre__frame_t frame;
        byre__unpack_t payload;
        if (sent < MANY && byre__stream_backlog(&a) < 1000000) {
            size_t bytes = size_of(sent);
            put(sent, bytes / 3, bytes - bytes / 3);
            sent++;
        }
        ck_assert_int_eq(byre__stream_flush(&a), BYRE_OK);
        int filled = byre__stream_fill(&b);
        ck_assert(filled == BYRE_OK || filled == BYRE_EAGAIN);
        while (byre__stream_next(&b, &frame, &payload) == 1) {
            check(&frame, &payload, got, size_of(got));
            got++;
        }
    }
    ck_assert_uint_eq(byre__stream_backlog(&a), 0);
    ck_assert_int_eq(byre__stream_fill(&b), BYRE_EAGAIN);
}
END_TEST

/* One byte at a time. */
START_TEST(test_cut)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    put(1, 5, 6);
    put(2, 0, 0);
    for (size_t i = 0; i < a.out.bytes; i++) {
        ck_assert_int_eq(send(raw, a.out.data + i, 1, 0), 1);
        ck_assert_int_eq(byre__stream_fill(&b), BYRE_OK);
        int there = byre__stream_next(&b, &frame, &payload);
        ck_assert_int_eq(there, i == 22 || i == 34);
        if (i == 22) check(&frame, &payload, 1, 11);
        if (i == 34) check(&frame, &payload, 2, 0);
    }
}
END_TEST

START_TEST(test_not_ours)
{
    static const char http[] = "GET / HTTP/1.1\r\n\r\n";
    byre__frame_t frame;
    byre__unpack_t payload;
    ck_assert_int_eq(send(raw, http, sizeof http, 0), (ssize_t)sizeof http);
    ck_assert_int_eq(byre__stream_fill(&b), BYRE_OK);
    ck_assert_int_eq(byre__stream_next(&b, &frame, &payload), BYRE_EPROTO);
    ck_assert_int_eq(byre__stream_await(&b, &frame, &payload, 10), BYRE_EPROTO);
}
END_TEST

START_TEST(test_too_long)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    static char room[1];
    ck_assert_int_eq(byre__stream_put_with(&a, 1, 1, NULL, room, BYRE__FRAME_MAX + 1), BYRE_ERANGE);
    ck_assert_uint_eq(byre__stream_backlog(&a), 0);
    uint32_t head[3] = { (uint32_t)BYRE__FRAME_MAX + 1, 1, 1 };
    ck_assert_int_eq(send(raw, head, sizeof head, 0), (ssize_t)sizeof head);
    ck_assert_int_eq(byre__stream_fill(&b), BYRE_OK);
    ck_assert_int_eq(byre__stream_next(&b, &frame, &payload), BYRE_EPROTO);
}
END_TEST

START_TEST(test_longest)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    int there;
    put(7, 0, BYRE__FRAME_MAX);
    while ((there = byre__stream_next(&b, &frame, &payload)) == 0) {
        ck_assert_int_eq(byre__stream_flush(&a), BYRE_OK);
        int filled = byre__stream_fill(&b);
        ck_assert(filled == BYRE_OK || filled == BYRE_EAGAIN);
    }
    ck_assert_int_eq(there, 1);
    check(&frame, &payload, 7, BYRE__FRAME_MAX);
}
END_TEST

/* What was written before the end is still read. */
START_TEST(test_end)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    put(3, 4, 0);
    ck_assert_int_eq(byre__stream_drain(&a), BYRE_OK);
    byre__stream_fini(&a);
    ck_assert_int_eq(byre__stream_await(&b, &frame, &payload, -1), 1);
    check(&frame, &payload, 3, 4);
    ck_assert_int_eq(byre__stream_await(&b, &frame, &payload, -1), BYRE_EPEER);
    ck_assert_int_eq(byre__stream_put(&b, 1, 1, NULL), BYRE_OK);
    ck_assert_int_eq(byre__stream_flush(&b), BYRE_EPEER); /* and no SIGPIPE */
    ck_assert_int_eq(byre__stream_drain(&b), BYRE_EPEER);
}
END_TEST

START_TEST(test_timeout)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    ck_assert_int_eq(byre__stream_await(&b, &frame, &payload, 0), BYRE_ETIMEOUT);
    ck_assert_int_eq(byre__stream_await(&b, &frame, &payload, 20), BYRE_ETIMEOUT);
}
END_TEST

START_TEST(test_failed_payload)
{
    byre__pack_t payload = { .failed = true };
    ck_assert_int_eq(byre__stream_put(&a, 1, 1, &payload), BYRE_ENOMEM);
    ck_assert_uint_eq(byre__stream_backlog(&a), 0);
}
END_TEST

/* A directory of more than the 108 bytes of a socket's name; mode 0600; another user is refused. */
START_TEST(test_sockets)
{
    char dir[400] = "/tmp/frame.XXXXXX", path[512], top[64];
    struct stat status;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    memcpy(top, dir, strlen(dir) + 1);
    memset(dir + strlen(dir), 'd', 1);
    dir[strlen(top)] = '/';
    memset(dir + strlen(top) + 1, 'd', 200);
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    ck_assert_int_eq(chmod(top, 0755), 0);
    int first = byre__unix_listen(dir, "sock");
    ck_assert_int_ge(first, 0);
    close(first);
    int listener = byre__unix_listen(dir, "sock"); /* over what is left of another */
    ck_assert_int_ge(listener, 0);
    (void)snprintf(path, sizeof path, "%s/sock", dir);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert(S_ISSOCK(status.st_mode));
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    int client = byre__unix_connect(dir, "sock");
    ck_assert_int_ge(client, 0);
    struct pollfd ready = { .fd = listener, .events = POLLIN };
    ck_assert_int_eq(poll(&ready, 1, -1), 1);
    int server = accept(listener, NULL, NULL);
    ck_assert_int_ge(server, 0);
    ck_assert(byre__unix_peer_is_owner(server));
    ck_assert_int_eq(byre__unix_connect(dir, "none"), BYRE_ESYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(byre__unix_listen("/nowhere", "sock"), BYRE_ESYSTEM);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(byre__unix_listen(dir, path), BYRE_ESYSTEM);
    if (geteuid() == 0) {
        pid_t child = fork();
        if (child == 0) {
            if (setresuid(65534, 65534, 65534) != 0) _exit(2);
            _exit(byre__unix_connect(dir, "sock") == BYRE_ESYSTEM && errno == EACCES ? 0 : 1);
        }
        int end;
        ck_assert_int_eq(waitpid(child, &end, 0), child);
        ck_assert_int_eq(end, 0);
        ck_assert_int_eq(chmod(path, 0666),
                         0); /* were it open, the owner would still be asked for */
        child = fork();
        if (child == 0) {
            if (setresuid(65534, 65534, 65534) != 0) _exit(2);
            _exit(byre__unix_connect(dir, "sock") >= 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &end, 0), child);
        ck_assert_int_eq(end, 0);
        ck_assert_int_eq(poll(&ready, 1, -1), 1);
        int stranger = accept(listener, NULL, NULL);
        ck_assert_int_ge(stranger, 0);
        ck_assert(!byre__unix_peer_is_owner(stranger));
        close(stranger);
    }
    close(client);
    close(server);
    close(listener);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_int_eq(rmdir(top), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_frame");
    TCase *tests = tcase_create("frame");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, test_many);
    tcase_add_test(tests, test_cut);
    tcase_add_test(tests, test_not_ours);
    tcase_add_test(tests, test_too_long);
    tcase_add_test(tests, test_longest);
    tcase_add_test(tests, test_end);
    tcase_add_test(tests, test_timeout);
    tcase_add_test(tests, test_failed_payload);
    tcase_add_test(tests, test_sockets);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
