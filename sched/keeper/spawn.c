/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spawn.c - a job's process: all is made ready here, so that the child (child.c) has only system calls to do.
 *
 * With a cgroup the child is born in it (clone3, CLONE_INTO_CGROUP): moving it there later would cost
 * milliseconds. clone3 has no wrapper that shares memory, hence a few lines of assembler where we have them;
 * elsewhere, and without cgroups, clone(2) of the C library.
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

/* Sanitizers keep notes of the memory: the child gets a copy of it there. *child is shared in any case. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
enum { SHARED = CLONE_VFORK };
#else
enum { SHARED = CLONE_VM | CLONE_VFORK };
#endif

/* ---- clone ----------------------------------------------------------------------------------------- */

/* linux/sched.h has it too, but cannot be included beside sched.h everywhere. */
typedef struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
} clone3_args_t;

#if defined(__x86_64__) || defined(__aarch64__)
/* The child goes on below this frame, on the same stack, and never returns into it, as with vfork. */
static __attribute__((noinline, no_sanitize("address", "thread"))) long
clone3_here(const clone3_args_t *args, keeper_child_t *child)
{
#ifdef __x86_64__
    long got = SYS_clone3;
    __asm__ volatile("syscall" : "+a"(got) : "D"(args), "S"(sizeof *args) : "rcx", "r11", "memory");
#else
    register long number __asm__("x8") = SYS_clone3;
    register long got __asm__("x0") = (long)args;
    register long size __asm__("x1") = sizeof *args;
    __asm__ volatile("svc 0" : "+r"(got) : "r"(number), "r"(size) : "memory");
#endif
    if (got == 0) keeper_child_run(child);
    return got;
}

static pid_t clone_into(int group, keeper_child_t *child)
{
    clone3_args_t args = { .flags = SHARED | CLONE_INTO_CGROUP,
                           .exit_signal = SIGCHLD,
                           .cgroup = (uint64_t)group };
    long got = clone3_here(&args, child);
    if (got >= 0) return (pid_t)got;
    errno = (int)-got;
    return -1;
}
#else
static pid_t clone_into(int group, keeper_child_t *child)
{
    (void)group;
    (void)child;
    errno = ENOSYS;
    return -1;
}
#endif

#ifdef SANITIZED
static pid_t clone_plain(keeper_child_t *child)
{
    long pid = syscall(SYS_clone, (unsigned long)(SHARED | SIGCHLD), NULL, NULL, NULL, NULL);
    if (pid == 0) keeper_child_run(child);
    return (pid_t)pid;
}
#else
enum { STACK = 64 << 10 };

static int enter(void *child)
{
    keeper_child_run(child);
}

static pid_t clone_plain(keeper_child_t *child)
{
    static char *stack;
    if (stack == NULL) {
        void *room = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (room == MAP_FAILED) return -1;
        stack = room;
    }
    return clone(enter, stack + STACK, SHARED | SIGCHLD, child);
}
#endif

/* ENOMEM, EAGAIN and EMFILE are the machine's state; anything else says that cgroups are not for us. */
static pid_t clone_job(keeper_t *k, keeper_job_t *job, keeper_child_t *child)
{
    job->group = keeper_group_take(k);
    if (job->group >= 0) {
        pid_t pid = clone_into(k->groups[job->group], child);
        if (pid > 0 || errno == ENOMEM || errno == EAGAIN) return pid;
        int error = errno;
        keeper_group_give(k, job->group);
        keeper_group_off(k, error);
        job->group = -1;
    }
    return clone_plain(child);
}

/* ---- what the child needs ------------------------------------------------------------------------------ */

bool keeper_list_parse(const char *text, unsigned long *bits_out, size_t bits)
{
    memset(bits_out, 0, bits / 8);
    while (*text != '\0') {
        char *end;
        if (*text < '0' || *text > '9') return false;
        unsigned long from = strtoul(text, &end, 10), to = from;
        if (*end == '-') {
            if (end[1] < '0' || end[1] > '9') return false;
            to = strtoul(end + 1, &end, 10);
        }
        if (from > to || to >= bits) return false;
        for (; from <= to; from++) bits_out[from / KEEPER_WORD] |= 1UL << from % KEEPER_WORD;
        if (*end == ',' && end[1] != '\0')
            end++;
        else if (*end != '\0')
            return false;
        text = end;
    }
    return true;
}

static bool same_name(const char *a, const char *b)
{
    size_t name = strcspn(a, "=");
    return strncmp(a, b, name) == 0 && b[name] == '=';
}

static size_t count_of(char *const *texts)
{
    size_t n = 0;
    while (texts[n] != NULL) n++;
    return n;
}

static bool names_one(char *const *texts, const char *variable)
{
    for (; *texts != NULL; texts++)
        if (same_name(*texts, variable)) return true;
    return false;
}

/* Those of the context, over them those of the order, over these the job's own; then ours, of which the context
 * can have only TMPDIR, the third. One block, freed with free. */
static char **environment(const keeper_order_t *order, char *const *ours)
{
    char *const *own = order->spec.env, *const *extra = order->extra;
    size_t count = 0;
    char **env =
        malloc((order->context->variables + count_of(extra) + count_of(own) + count_of(ours) + 1) *
               sizeof *env);
    if (env == NULL) return NULL;
    for (char **given = order->context->context.env; *given != NULL; given++)
        if (!names_one(extra, *given) && !names_one(own, *given) && !names_one(ours + 2, *given))
            env[count++] = *given;
    for (; *extra != NULL; extra++)
        if (!names_one(own, *extra) && !names_one(ours, *extra)) env[count++] = *extra;
    for (; *own != NULL; own++)
        if (!names_one(ours, *own)) env[count++] = *own;
    while (*ours != NULL) env[count++] = *ours++;
    env[count] = NULL;
    return env;
}

static const char *path_of(char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0) return *env + 5;
    return "/bin:/usr/bin"; /* as execvp has it */
}

/* Only limits that differ from ours. */
static void limits(const keeper_t *k, const byre__context_t *context, keeper_child_t *child)
{
    for (int i = 0; i < BYRE__RLIMITS; i++) {
        uint64_t hard = context->hard[i], soft = context->soft[i];
        if (soft > hard) soft = hard;
        child->most[i] = (rlim_t)k->own_hard[i];
        child->limited[i] = soft != k->own_soft[i] || hard != k->own_hard[i];
        child->limit[i] = (struct rlimit){ (rlim_t)soft, (rlim_t)hard };
    }
}

static void binding(const keeper_order_t *order, keeper_child_t *child)
{
    child->bind_cpus =
        order->cpu_list[0] != '\0' && keeper_list_parse(order->cpu_list, child->cpus, KEEPER_CPUS);
    child->bind_nodes = order->node_list[0] != '\0' &&
                        keeper_list_parse(order->node_list, child->nodes, KEEPER_NODES);
}

/* The child answers in it, so it is shared even where memory is not. */
static keeper_child_t *child_room(void)
{
    static keeper_child_t *child;
    if (child == NULL) {
        void *room =
            mmap(NULL, sizeof *child, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED) return NULL;
        child = room;
    }
    return child;
}

/* argv with room for the shell before it. */
static char **words(char *const *argv)
{
    size_t count = 0;
    while (argv[count] != NULL) count++;
    char **room = malloc((count + 2) * sizeof *room);
    if (room == NULL) return NULL;
    memcpy(room + 1, argv, (count + 1) * sizeof *room);
    return room;
}

/* ---- start --------------------------------------------------------------------------------------------- */

static void failed(keeper_t *k, keeper_job_t *job, int stage, int error)
{
    static const uint8_t kinds[] = { [KEEPER_STAGE_OK] = BYRE__END_NO_START,
                                     [KEEPER_STAGE_SET_UP] = BYRE__END_NO_START,
                                     [KEEPER_STAGE_CWD] = BYRE__END_NO_CWD,
                                     [KEEPER_STAGE_EXEC] = BYRE__END_NO_EXEC };
    keeper_stream_close(k, job);
    if (job->group >= 0) keeper_group_give(k, job->group);
    job->group = -1;
    keeper_job_failed(k, job, kinds[stage], error, strerror(error));
}

static void failed_tmp(keeper_t *k, keeper_job_t *job, int error)
{
    char detail[sizeof job->end.detail];
    snprintf(detail, sizeof detail, "no directory of its own in tmp of the state directory: %s",
             strerror(error));
    keeper_job_failed(k, job, BYRE__END_NO_START, error, detail);
}

static void close_all(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        bool again = false;
        for (int j = 0; j < i; j++) again |= fds[j] == fds[i];
        if (fds[i] >= 0 && !again) close(fds[i]);
    }
}

static void launch(keeper_t *k, keeper_job_t *job, keeper_child_t *child)
{
    child->stage = KEEPER_STAGE_OK;
    keeper_reach_hurry(k, false);
    job->end.started_ms = keeper_date_ms();
    pid_t pid = clone_job(k, job, child);
    int error = errno;
    if (pid > 0 && child->stage == KEEPER_STAGE_OK) {
        keeper_job_set_pid(k, job, pid);
        keeper_stream_begin(k, job);
        keeper_say_started(k, job);
        return;
    }
    if (pid > 0) {
        error = child->error;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    failed(k, job, child->stage, error);
}

/* A kernel before 5.7 cannot; a directory may forbid it; and some kernels kill whoever is born into a cgroup
 * from one that has once been killed as a whole. */
int keeper_spawn_probe(keeper_t *k, int slot)
{
    keeper_child_t *child = child_room();
    int status;
    if (child == NULL) return ENOMEM;
    child->probe = true;
    pid_t pid = clone_into(k->groups[slot], child);
    child->probe = false;
    if (pid < 0) return errno;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return errno;
    return WIFEXITED(status) ? 0 : ECANCELED;
}

void keeper_spawn(keeper_t *k, keeper_job_t *job, keeper_order_t *order)
{
    char id[BYRE__JOB_ID], names[3][BYRE__JOB_ID + 8];
    char keeper_is[KEEPER_IDENTITY + 32], job_is[BYRE__JOB_ID + 16];
    char tmp_is[KEEPER_TMP_ROOM];
    char *ours[] = { keeper_is, job_is, NULL, NULL };
    int theirs[3] = { -1, -1, -1 };

    snprintf(keeper_is, sizeof keeper_is, "BYRE_KEEPER=%s/%u", k->identity, job->attempt);
    snprintf(job_is, sizeof job_is, "BYRE_JOB=%s", byre__job_id_format(&job->id, id));
    if (job->flags & BYRE__JOB_OWN_TMP) {
        int error = keeper_tmp_make(k, job, tmp_is);
        if (error != 0) {
            failed_tmp(k, job, error);
            return;
        }
        ours[2] = tmp_is;
    }
    keeper_child_t *child = child_room();
    char **room = words(order->spec.argv), **env = environment(order, ours);
    if (child == NULL || room == NULL || env == NULL) {
        failed(k, job, KEEPER_STAGE_OK, ENOMEM);
        goto undo_memory;
    }
    if (job->flags & BYRE__JOB_STREAMS) {
        int error = keeper_stream_open(k, job, &order->spec, theirs);
        if (error != 0) {
            failed(k, job, KEEPER_STAGE_OK, error);
            goto undo_memory;
        }
    } else {
        keeper_spool_prepare(k, job);
    }
    child->argv = room + 1;
    child->env = env;
    child->path = path_of(env);
    child->cwd = order->context->context.cwd;
    child->umask = order->context->context.umask & 0777;
    child->spool = k->spool;
    child->pty = (job->flags & BYRE__JOB_STREAMS) != 0 && (job->flags & BYRE__JOB_PTY) != 0;
    for (int i = 0; i < 3; i++) {
        child->fd[i] = theirs[i];
        child->spool_name[i] = names[i];
        if (i > 0) keeper_spool_name(job, i, names[i]);
    }
    if (!(job->flags & BYRE__JOB_STREAMS)) child->fd[0] = k->null;
    limits(k, &order->context->context, child);
    binding(order, child);
    launch(k, job, child);
    close_all(theirs);
undo_memory:
    free(env);
    free(room);
}
