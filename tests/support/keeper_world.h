/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keeper_world.h - a keeper in a directory of its own, and a test that plays its daemon.
 *
 * What the keeper says is collected by job number; all waiting is for something said, with a limit that only a
 * broken keeper reaches.
 */
#ifndef BYRE__TESTS_KEEPER_WORLD_H
#define BYRE__TESTS_KEEPER_WORLD_H

#include "sched/frame.h"
#include "sched/job.h"
#include "sched/talk.h"
#include "suite.h"

#include <byre_errors.h>
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef KW_LIMIT
#define KW_LIMIT 30000
#endif
#define KW_MAYBE __attribute__((unused)) static
enum { KW_JOBS = 4096, KW_LIMIT_MS = KW_LIMIT };

typedef struct kw_job {
    bool started, ended, in_state;
    bool keep, hold; /* keep what comes; do not open the window again */
    uint32_t attempt;
    int ends; /* how often it was told */
    int64_t pid;
    byre__end_t end;
    char *out[2]; /* what came, with a zero byte behind it */
    size_t out_bytes[2];
    uint64_t out_sum[2], out_total[2];
    uint64_t room; /* granted for stdin so far, without the first 64 KiB */
} kw_job_t;

typedef struct kw {
    char dir[256];
    byre__stream_t stream;
    byre__context_key_t key;
    kw_job_t jobs[KW_JOBS];
    uint32_t states, state_count;
    bool groups;
    const char *nodes; /* memory nodes for the next orders; NULL: any */
    bool lenient;      /* there are jobs that are not ours */
} kw_t;

/* ---- small things ------------------------------------------------------------------------------------ */

KW_MAYBE uint64_t kw_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

KW_MAYBE void kw_nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* Wait until an expression is true. */
#define KW_UNTIL(expression)                                                        \
    do {                                                                            \
        for (uint64_t kw_end = kw_ms() + KW_LIMIT_MS; !(expression); kw_nap())      \
            ck_assert_msg(kw_ms() < kw_end, "waited in vain for: %s", #expression); \
    } while (0)

KW_MAYBE uint64_t kw_sum(uint64_t sum, const void *data, size_t bytes)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* xorshift64: the next of a sequence that `state' begins and keeps; never 0. */
KW_MAYBE uint64_t kw_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

KW_MAYBE char *kw_read(const char *dir, const char *name)
{
    char path[600];
    static char text[1 << 16];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return NULL;
    size_t bytes = 0;
    for (ssize_t n; (n = read(fd, text + bytes, sizeof text - 1 - bytes)) > 0;) bytes += (size_t)n;
    close(fd);
    text[bytes] = '\0';
    return text;
}

KW_MAYBE bool kw_exists(const kw_t *w, const char *name)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    return access(path, F_OK) == 0;
}

KW_MAYBE pid_t kw_keeper(const kw_t *w)
{
    const char *text = kw_read(w->dir, "keeper.lock");
    return text == NULL ? -1 : (pid_t)strtol(text, NULL, 10);
}

/* Gone, or a zombie: nothing that runs. */
KW_MAYBE bool kw_gone(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", pid);
    const char *text = kw_read(path, "stat"), *at = text == NULL ? NULL : strrchr(text, ')');
    return at == NULL || at[2] == 'Z' || at[2] == 'X';
}

/* Processes with this in their environment. */
KW_MAYBE int kw_count_marked(const char *mark)
{
    int count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        char path[300];
        static char text[1 << 16];
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%s/environ", entry->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1) {
            text[n] = '\0';
            if (strcmp(text + i, mark) == 0) count++;
        }
    }
    closedir(proc);
    return count;
}

/* Open descriptors, but for cgroups, of which it keeps as many as there were jobs at once; those separately. */
KW_MAYBE int kw_count_fds_of(pid_t pid, bool of_groups)
{
    char path[64], target[600];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *list = opendir(path);
    ck_assert_ptr_nonnull(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        ssize_t n = readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        count += (strstr(target, "byre-keeper-") != NULL) == of_groups;
    }
    closedir(list);
    return count;
}

KW_MAYBE int kw_count_fds(pid_t pid)
{
    return kw_count_fds_of(pid, false);
}

/* Does the system let it make cgroups? */
KW_MAYBE bool kw_has_groups(const kw_t *w)
{
    return kw_count_fds_of(kw_keeper(w), true) > 0;
}

/* A sanitizer's memory says nothing about the keeper's: 0. */
KW_MAYBE long kw_rss_kb(pid_t pid)
{
    if (getenv("BYRE_SANITIZED") != NULL) return 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", pid);
    const char *text = kw_read(path, "status"), *at = strstr(text, "VmRSS:");
    return at == NULL ? 0 : strtol(at + 6, NULL, 10);
}

/* ---- the keeper -------------------------------------------------------------------------------------- */

KW_MAYBE int kw_run_keeper(const kw_t *w)
{
    char program[512];
    int status;
    const char *bin = getenv("BYRE_BIN");
    snprintf(program, sizeof program, "%s/byred-keeper", bin == NULL ? "bin" : bin);
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, w->groups ? w->dir : "--no-cgroup", w->groups ? NULL : w->dir,
              (char *)NULL);
        fprintf(stderr, "%s: %s\n", program, strerror(errno));
        _exit(99);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The keeper is ended by a signal. */
KW_MAYBE void kw_end_keeper(const kw_t *w, int sig)
{
    pid_t keeper = kw_keeper(w);
    ck_assert_int_eq(kill(keeper, sig), 0);
    KW_UNTIL(kw_gone(keeper));
}

/* After kw_end_keeper and kw_disconnect: another one, of which nothing has been heard. */
KW_MAYBE void kw_next_keeper(kw_t *w)
{
    memset(w->jobs, 0, sizeof w->jobs);
    ck_assert_int_eq(kw_run_keeper(w), 0);
}

KW_MAYBE void kw_put(kw_t *w, uint16_t type, byre__pack_t *pack)
{
    ck_assert(!pack->failed);
    ck_assert_int_eq(byre__stream_put(&w->stream, type, 0, pack), BYRE_OK);
    byre__pack_fini(pack);
    (void)byre__stream_flush(&w->stream); /* what does not go now goes while something is awaited */
}

/* ---- what it says --------------------------------------------------------------------------------------- */

KW_MAYBE byre__job_id_t kw_id(uint64_t number)
{
    return (byre__job_id_t){ .home = "t", .number = number };
}

KW_MAYBE kw_job_t *kw_take_id(kw_t *w, byre__unpack_t *payload, uint64_t *number_out)
{
    byre__job_id_t id;
    byre__unpack_job_id(payload, &id);
    if (w->lenient && (strcmp(id.home, "t") != 0 || id.number >= KW_JOBS)) id = kw_id(0);
    ck_assert_str_eq(id.home, "t");
    ck_assert_uint_lt(id.number, KW_JOBS);
    if (number_out != NULL) *number_out = id.number;
    return &w->jobs[id.number];
}

KW_MAYBE void kw_window(kw_t *w, uint64_t number, uint8_t stream, uint32_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(number);
    byre__pack_job_id(&pack, &id);
    byre__pack_u8(&pack, stream);
    byre__pack_u32(&pack, bytes);
    kw_put(w, BYRE__KEEP_WINDOW, &pack);
}

KW_MAYBE void kw_on_output(kw_t *w, byre__unpack_t *payload)
{
    uint64_t number;
    kw_job_t *job = kw_take_id(w, payload, &number);
    uint8_t stream = byre__unpack_u8(payload);
    size_t bytes = (size_t)(payload->end - payload->at);
    ck_assert(!payload->failed && stream >= 1 && stream <= 2);
    ck_assert_msg(!job->ended, "output of %d after its end", (int)number);
    int i = stream - 1;
    if (job->out_total[i] == 0) job->out_sum[i] = 0;
    job->out_sum[i] = kw_sum(job->out_sum[i], payload->at, bytes);
    job->out_total[i] += bytes;
    if (job->keep) {
        job->out[i] = realloc(job->out[i], job->out_bytes[i] + bytes + 1);
        memcpy(job->out[i] + job->out_bytes[i], payload->at, bytes);
        job->out_bytes[i] += bytes;
        job->out[i][job->out_bytes[i]] = '\0';
    }
    if (!job->hold) kw_window(w, number, stream, (uint32_t)bytes);
}

KW_MAYBE void kw_on_state(kw_t *w, byre__unpack_t *payload)
{
    char cpus[256];
    ck_assert_uint_eq(byre__unpack_u32(payload), BYRE__TALK_VERSION);
    ck_assert_uint_gt(byre__unpack_u64(payload), 0);
    w->state_count = byre__unpack_u32(payload);
    for (uint32_t i = 0; i < w->state_count; i++) {
        kw_job_t *job = kw_take_id(w, payload, NULL);
        job->in_state = true;
        job->attempt = byre__unpack_u32(payload);
        bool ended = byre__unpack_u8(payload);
        job->pid = (int64_t)byre__unpack_u64(payload);
        job->started = true;
        byre__unpack_u64(payload);
        byre__unpack_u32(payload);
        byre__unpack_text_into(payload, cpus, sizeof cpus);
        if (ended) {
            byre__unpack_end(payload, &job->end);
            job->ended = true;
            job->ends++;
        }
    }
    w->states++;
    ck_assert(byre__unpack_done(payload));
}

KW_MAYBE void kw_on_frame(kw_t *w, uint16_t type, byre__unpack_t *payload)
{
    kw_job_t *job;
    switch (type) {
    case BYRE__KEPT_STATE:
        kw_on_state(w, payload);
        return;
    case BYRE__KEPT_OUTPUT:
        kw_on_output(w, payload);
        return;
    case BYRE__KEPT_STARTED:
        job = kw_take_id(w, payload, NULL);
        job->attempt = byre__unpack_u32(payload);
        job->pid = (int64_t)byre__unpack_u64(payload);
        ck_assert_uint_gt(byre__unpack_u64(payload), 0);
        job->started = true;
        break;
    case BYRE__KEPT_ENDED:
        job = kw_take_id(w, payload, NULL);
        job->attempt = byre__unpack_u32(payload);
        byre__unpack_end(payload, &job->end);
        job->ended = true;
        job->ends++;
        break;
    case BYRE__KEPT_ROOM:
        job = kw_take_id(w, payload, NULL);
        job->room += byre__unpack_u32(payload);
        break;
    default:
        ck_abort_msg("a frame of type %d", type);
    }
    ck_assert(byre__unpack_done(payload));
}

/* One frame; false: the connection is at its end, or none came in time. */
KW_MAYBE bool kw_step_for(kw_t *w, int timeout_ms)
{
    byre__frame_t frame;
    byre__unpack_t payload;
    if (byre__stream_await(&w->stream, &frame, &payload, timeout_ms) != 1) return false;
    kw_on_frame(w, frame.type, &payload);
    return true;
}

/* Take frames until an expression is true. */
#define KW_AWAIT(w, expression) \
    while (!(expression))       \
    ck_assert_msg(kw_step_for(w, KW_LIMIT_MS), "no answer for: %s", #expression)

KW_MAYBE void kw_hello(kw_t *w)
{
    byre__pack_t pack = { 0 };
    uint32_t states = w->states;
    byre__pack_u32(&pack, BYRE__TALK_VERSION);
    kw_put(w, BYRE__KEEP_HELLO, &pack);
    KW_AWAIT(w, w->states > states);
}

KW_MAYBE void kw_context(kw_t *w, byre__context_t *context)
{
    byre__pack_t body = { 0 }, pack = { 0 };
    byre__pack_context(&body, context);
    w->key = byre__context_key(body.data, body.bytes);
    byre__pack_u64(&pack, w->key.a);
    byre__pack_u64(&pack, w->key.b);
    byre__pack_raw(&pack, body.data, body.bytes);
    byre__pack_fini(&body);
    kw_put(w, BYRE__KEEP_CONTEXT, &pack);
}

/* Of this process, but in another directory (NULL: in its own). */
KW_MAYBE byre__context_t kw_context_in(const char *cwd)
{
    byre__context_t context;
    ck_assert_int_eq(byre__context_capture(&context), BYRE_OK);
    if (cwd == NULL) return context;
    free(context.cwd);
    context.cwd = strdup(cwd);
    return context;
}

KW_MAYBE void kw_own_context(kw_t *w)
{
    byre__context_t context = kw_context_in(NULL);
    kw_context(w, &context);
    byre__context_fini(&context);
}

KW_MAYBE void kw_connect(kw_t *w)
{
    int fd = byre__unix_connect(w->dir, "keeper.sock");
    ck_assert_int_ge(fd, 0);
    byre__stream_init(&w->stream, fd);
    kw_hello(w);
    kw_own_context(w);
}

KW_MAYBE void kw_disconnect(kw_t *w)
{
    (void)byre__stream_drain(&w->stream);
    byre__stream_fini(&w->stream);
}

KW_MAYBE kw_t *kw_create(bool groups)
{
    const char *tmp = getenv("TMPDIR");
    kw_t *w = calloc(1, sizeof *w);
    w->groups = groups;
    snprintf(w->dir, sizeof w->dir, "%s/keeper.XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert_ptr_nonnull(mkdtemp(w->dir));
    ck_assert_int_eq(kw_run_keeper(w), 0);
    kw_connect(w);
    return w;
}

/* ---- orders ------------------------------------------------------------------------------------------------ */

KW_MAYBE void kw_order(kw_t *w, uint64_t number, uint32_t attempt, uint32_t flags,
                       char *const *argv, const char *cpus, char *const *extra)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(number);
    char none[] = "";
    byre__spec_t spec = { .flags = flags,
                          .argv = (char **)argv,
                          .name = none,
                          .node = none,
                          .affinity = none,
                          .cpus = 1,
                          .rows = 31,
                          .cols = 97 };
    byre__pack_job_id(&pack, &id);
    byre__pack_u32(&pack, attempt);
    byre__pack_u64(&pack, w->key.a);
    byre__pack_u64(&pack, w->key.b);
    byre__pack_spec(&pack, &spec);
    byre__pack_text(&pack, cpus);
    byre__pack_text(&pack, w->nodes);
    byre__pack_texts(&pack, extra);
    kw_put(w, BYRE__KEEP_START, &pack);
}

KW_MAYBE void kw_start(kw_t *w, uint64_t number, uint32_t flags, const char *script)
{
    char sh[] = "sh", c[] = "-c";
    char *argv[] = { sh, c, (char *)script, NULL };
    kw_order(w, number, 1, flags, argv, "", NULL);
}

/* A frame that is id, attempt (unless it is 0), then numbers. */
KW_MAYBE void kw_tell(kw_t *w, uint16_t type, uint64_t number, uint32_t attempt, int words,
                      uint32_t first, uint32_t second)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(number);
    byre__pack_job_id(&pack, &id);
    if (attempt != 0) byre__pack_u32(&pack, attempt);
    if (words > 0) byre__pack_u32(&pack, first);
    if (words > 1) byre__pack_u32(&pack, second);
    kw_put(w, type, &pack);
}

KW_MAYBE void kw_signal(kw_t *w, uint64_t number, int sig)
{
    kw_tell(w, BYRE__KEEP_SIGNAL, number, 1, 1, (uint32_t)sig, 0);
}

KW_MAYBE void kw_kill(kw_t *w, uint64_t number, uint32_t grace_ms)
{
    kw_tell(w, BYRE__KEEP_KILL, number, 1, 1, grace_ms, 0);
}

KW_MAYBE void kw_byte_order(kw_t *w, uint16_t type, uint64_t number, uint32_t attempt, uint8_t what)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(number);
    byre__pack_job_id(&pack, &id);
    if (attempt != 0) byre__pack_u32(&pack, attempt);
    byre__pack_u8(&pack, what);
    kw_put(w, type, &pack);
}

KW_MAYBE void kw_forget(kw_t *w, uint64_t number, bool output_too)
{
    kw_byte_order(w, BYRE__KEEP_FORGET, number, 1, output_too);
}

KW_MAYBE void kw_stdin(kw_t *w, uint64_t number, const void *data, size_t bytes)
{
    byre__pack_t pack = { 0 };
    byre__job_id_t id = kw_id(number);
    byre__pack_job_id(&pack, &id);
    byre__pack_raw(&pack, data, bytes);
    kw_put(w, BYRE__KEEP_STDIN, &pack);
}

KW_MAYBE byre__end_t *kw_wait(kw_t *w, uint64_t number)
{
    KW_AWAIT(w, w->jobs[number].ended);
    return &w->jobs[number].end;
}

#define KW_ENDS(w, number, a_kind, a_code)                                                        \
    do {                                                                                          \
        const byre__end_t *kw_end = kw_wait(w, number);                                           \
        ck_assert_msg(kw_end->kind == (a_kind) && kw_end->code == (a_code),                       \
                      "job %d: kind %d, code %d (%s)", (int)(number), kw_end->kind, kw_end->code, \
                      kw_end->detail);                                                            \
    } while (0)

/* The first line of a job's output, as a number, once it is there. */
KW_MAYBE int kw_first_number(const kw_t *w, uint64_t number)
{
    char name[64], *text;
    snprintf(name, sizeof name, "spool/t.%d.out", (int)number);
    KW_UNTIL((text = kw_read(w->dir, name)) != NULL && strchr(text, '\n') != NULL);
    return (int)strtol(text, NULL, 10);
}

KW_MAYBE void kw_remove(kw_t *w)
{
    char command[600];
    snprintf(command, sizeof command, "cat '%s/keeper.log' >&2; rm -rf '%s'", w->dir, w->dir);
    ck_assert_int_eq(system(command), 0);
    for (int i = 0; i < KW_JOBS; i++) {
        free(w->jobs[i].out[0]);
        free(w->jobs[i].out[1]);
    }
    free(w);
}

/* The keeper ends, and nothing of its jobs is left, nor a file but the lock, the log and what was not forgotten. */
KW_MAYBE void kw_destroy(kw_t *w)
{
    byre__pack_t pack = { 0 };
    pid_t keeper = kw_keeper(w);
    byre__pack_u8(&pack, 1);
    kw_put(w, BYRE__KEEP_QUIT, &pack);
    for (int i = 0; i < KW_JOBS; i++) {
        if (!w->jobs[i].started && !w->jobs[i].ended) continue;
        kw_wait(w, (uint64_t)i);
        kw_byte_order(w, BYRE__KEEP_FORGET, (uint64_t)i, w->jobs[i].attempt, 1);
    }
    ck_assert_int_eq(byre__stream_drain(&w->stream), BYRE_OK);
    kw_disconnect(w);
    KW_UNTIL(kw_gone(keeper));
    ck_assert(!kw_exists(w, "keeper.sock"));
    ck_assert(!kw_exists(w, "spool"));
    ck_assert(!kw_exists(w, "tmp"));
    ck_assert(!kw_exists(w, "ends"));
    const char *log = kw_read(w->dir, "keeper.log");
    ck_assert_msg(strstr(log, "Sanitizer") == NULL && strstr(log, "runtime error") == NULL, "%s",
                  log);
    kw_remove(w);
}

#endif
