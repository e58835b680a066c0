/* SPDX-License-Identifier: BSD-3-Clause */
/* time-limit: 180 */
/* Much, and wrong: a thousand jobs, a gigabyte of output, frames that are none, nobody who listens. */
#include "keeper_world.h"

#include <sys/socket.h>

static uint64_t seed = 0x2545f4914f6cdd1d;

START_TEST(a_thousand_jobs)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    char sleep_word[] = "sleep", time_word[] = "1000", *argv[] = { sleep_word, time_word, NULL };
    for (uint64_t i = 1; i <= 1000; i++) kw_order(w, i, 1, 0, argv, "", NULL);
    for (uint64_t i = 1; i <= 1000; i++) {
        KW_AWAIT(w, w->jobs[i].started || w->jobs[i].ended);
        ck_assert_msg(!w->jobs[i].ended, "job %d: %s", (int)i, w->jobs[i].end.detail);
    }
    kw_hello(w);
    ck_assert_uint_eq(w->state_count, 1000);
    ck_assert_int_lt(kw_rss_kb(keeper), 32 << 10);
    for (uint64_t i = 1; i <= 1000; i++) kw_kill(w, i, i % 2 ? 0 : 60000);
    for (uint64_t i = 1; i <= 1000; i++) KW_ENDS(w, i, BYRE__END_SIGNAL, i % 2 ? SIGKILL : SIGTERM);
    kw_destroy(w);
}
END_TEST

/* What one job writes to its file costs the keeper nothing, and through the keeper a window. */
START_TEST(a_gigabyte)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    long before = kw_rss_kb(keeper);
    kw_start(w, 1, BYRE__JOB_STREAMS, "head -c 1073741824 /dev/zero");
    KW_ENDS(w, 1, BYRE__END_EXITED, 0);
    ck_assert_uint_eq(w->jobs[1].out_total[0], UINT64_C(1) << 30);
    ck_assert_uint_eq(w->jobs[1].end.out_bytes, UINT64_C(1) << 30);
    ck_assert_int_lt(kw_rss_kb(keeper) - before, 4096);
    kw_destroy(w);
}
END_TEST

START_TEST(no_descriptor_and_no_memory_is_lost)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    int fds = 0;
    long rss = 0;
    for (int round = 0; round < 6; round++) {
        for (uint64_t i = 1; i <= 60; i++) {
            const char *what =
                i % 3 == 0 ? "nothing-of-this-name" : "cat; echo x; setsid sleep 100 &";
            kw_start(w, i, (i % 2 ? BYRE__JOB_STREAMS : 0) | (i % 4 == 1 ? BYRE__JOB_PTY : 0),
                     what);
            kw_tell(w, BYRE__KEEP_STDIN_END, i, 0, 0, 0, 0);
        }
        for (uint64_t i = 1; i <= 60; i++) kw_wait(w, i);
        for (uint64_t i = 1; i <= 60; i++) kw_forget(w, i, true);
        memset(w->jobs, 0, sizeof w->jobs);
        if (round % 2 == 1) {
            kw_disconnect(w);
            kw_connect(w);
        }
        kw_hello(w);
        if (round == 2) {
            fds = kw_count_fds(keeper);
            rss = kw_rss_kb(keeper);
        }
    }
    KW_UNTIL(kw_count_fds(keeper) <= fds); /* it may just be looking into /proc */
    ck_assert_int_lt(kw_rss_kb(keeper) - rss, 1024);
    kw_destroy(w);
}
END_TEST

/* A daemon that asks and does not listen gets no more than it takes. */
START_TEST(a_daemon_that_does_not_listen)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    long before = kw_rss_kb(keeper);
    byre__pack_t pack = { 0 };
    byre__pack_u32(&pack, BYRE__TALK_VERSION);
    for (uint64_t i = 1; i <= 500; i++) kw_start(w, i, 0, "exit 1");
    for (uint64_t i = 1; i <= 500; i++) kw_wait(w, i);
    /* Each HELLO takes 70 KB of answer: 100 MB that nobody reads. */
    for (int i = 0; i < 1500; i++)
        ck_assert_int_eq(byre__stream_put(&w->stream, BYRE__KEEP_HELLO, 0, &pack), BYRE_OK);
    byre__pack_fini(&pack);
    byre__stream_flush(&w->stream);
    /* Another connection is answered only after the keeper has come to a rest with this one. */
    byre__stream_t first = w->stream;
    kw_connect(w);
    ck_assert_int_lt(kw_rss_kb(keeper) - before, 24 << 10);
    byre__stream_fini(&first);
    kw_destroy(w);
}
END_TEST

/* ---- frames that are none ------------------------------------------------------------------------------- */

static void throw_at(kw_t *w, const void *data, size_t bytes)
{
    int fd = byre__unix_connect(w->dir, "keeper.sock");
    ck_assert_int_ge(fd, 0);
    (void)send(fd, data, bytes, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    /* Until it has been looked at and the keeper has closed. */
    char rest[4096];
    while (recv(fd, rest, sizeof rest, 0) > 0) {}
    close(fd);
}

/* A right START, to be damaged. */
static size_t make_start(uint8_t *room, size_t most, uint64_t number, byre__context_key_t key)
{
    byre__stream_t stream = { .fd = -1 };
    kw_t *w = calloc(1, sizeof *w);
    w->stream = stream;
    w->key = key;
    kw_start(w, number, BYRE__JOB_STREAMS, "exit 0");
    size_t bytes = w->stream.out.bytes < most ? w->stream.out.bytes : most;
    memcpy(room, w->stream.out.data, bytes);
    byre__pack_fini(&w->stream.out);
    free(w);
    return bytes;
}

static void put_head(uint8_t *at, uint32_t bytes, uint16_t type)
{
    memset(at, 0, 12);
    memcpy(at, &bytes, 4);
    memcpy(at + 4, &type, 2);
}

START_TEST(garbage)
{
    kw_t *w = kw_create(_i);
    pid_t keeper = kw_keeper(w);
    uint8_t data[4096];
    kw_start(w, 1, 0, "sleep 1000");
    KW_AWAIT(w, w->jobs[1].started);
    kw_disconnect(w);
    for (int round = 0; round < 600; round++) {
        size_t bytes = 1 + kw_random(&seed) % 300;
        for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)kw_random(&seed);
        if (round % 3 == 1 && bytes >= 12) /* a right head, a wrong payload */
            put_head(data, (uint32_t)(bytes - 12), (uint16_t)(126 + kw_random(&seed) % 18));
        if (round % 3 == 2) { /* a START with some wrong bytes, never of the job that runs */
            bytes = make_start(data, sizeof data, 2, w->key);
            for (int i = 0; i < 3; i++) data[kw_random(&seed) % bytes] = (uint8_t)kw_random(&seed);
        }
        throw_at(w, data, bytes);
    }
    put_head(data, UINT32_MAX, BYRE__KEEP_HELLO);
    throw_at(w, data, 12);
    ck_assert(!kw_gone(keeper));
    ck_assert_int_lt(kw_rss_kb(keeper), 64 << 10);
    ck_assert(strstr(kw_read(w->dir, "keeper.log"), "no frame of ours") != NULL);
    w->lenient = true; /* some damaged frames were right ones, of other jobs */
    kw_connect(w);
    ck_assert(w->jobs[1].in_state && !w->jobs[1].ended);
    kw_kill(w, 1, 0);
    KW_ENDS(w, 1, BYRE__END_SIGNAL, SIGKILL);
    kw_end_keeper(w, SIGTERM);
    byre__stream_fini(&w->stream);
    kw_remove(w);
}
END_TEST

/* Even if the directory and the socket were open to all. */
START_TEST(another_user)
{
    if (geteuid() != 0) return; /* nobody else to be */
    kw_t *w = kw_create(_i);
    char path[600];
    int status;
    snprintf(path, sizeof path, "%s/keeper.sock", w->dir);
    struct stat socket_status;
    ck_assert_int_eq(stat(path, &socket_status), 0);
    ck_assert_uint_eq(socket_status.st_mode & 0777, 0600);
    ck_assert_int_eq(chmod(w->dir, 0711) | chmod(path, 0666), 0);
    pid_t pid = fork();
    if (pid == 0) {
        byre__frame_t frame;
        byre__unpack_t payload;
        byre__stream_t stream;
        byre__pack_t pack = { 0 };
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(2);
        int fd = byre__unix_connect(w->dir, "keeper.sock");
        if (fd < 0) _exit(errno == EACCES ? 0 : 3); /* TMPDIR itself may be closed */
        byre__stream_init(&stream, fd);
        byre__pack_u32(&pack, BYRE__TALK_VERSION);
        byre__stream_put(&stream, BYRE__KEEP_HELLO, 0, &pack);
        _exit(byre__stream_await(&stream, &frame, &payload, KW_LIMIT_MS) == BYRE_EPEER ? 0 : 4);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    kw_hello(w); /* the daemon that was there is still there */
    kw_destroy(w);
}
END_TEST

/* An id that would be a path. */
START_TEST(ids_that_are_paths)
{
    kw_t *w = kw_create(_i);
    static const char *const homes[] = { "../../x", "", ".", "a/b", "a b", "\377" };
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        byre__job_id_t id = { .number = 1 };
        byre__pack_t pack = { 0 };
        strcpy(id.home, homes[i]);
        byre__pack_job_id(&pack, &id);
        byre__pack_u32(&pack, 1);
        byre__pack_u8(&pack, 1);
        kw_put(w, BYRE__KEEP_FORGET, &pack);
        ck_assert_msg(!kw_step_for(w, KW_LIMIT_MS), "home `%s'", homes[i]);
        kw_disconnect(w);
        kw_connect(w);
    }
    kw_destroy(w);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_keeper_hostile");
    TCase *tcase = tcase_create("hostile");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_thousand_jobs, 0, 2);
    tcase_add_test(tcase, a_gigabyte);
    tcase_add_loop_test(tcase, no_descriptor_and_no_memory_is_lost, 0, 2);
    tcase_add_test(tcase, a_daemon_that_does_not_listen);
    tcase_add_test(tcase, garbage);
    tcase_add_test(tcase, another_user);
    tcase_add_test(tcase, ids_that_are_paths);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
