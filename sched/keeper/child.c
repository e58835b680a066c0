/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * child.c - between clone and execve, in the child.
 *
 * The child shares the keeper's memory, and the keeper stands still until the child has become another program
 * (CLONE_VM, CLONE_VFORK). So:
 * 1. It makes system calls, and touches its stack and *child: no malloc, no stdio, no lock, nothing global.
 * 2. It ends with execve or _exit only.
 * 3. Descriptors, signal dispositions, the mask, umask, directory, limits and affinity are its own, whatever
 *    it does to them; memory and errno are not.
 * A directory or a program on a file server that does not answer stops the keeper for as long; the price of
 * a start that does not copy page tables.
 */
#include "sched/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NO_SANITIZER __attribute__((no_sanitize("address", "thread", "undefined")))

enum { BIND = 2, PREFERRED = 1 }; /* MPOL_*: linux/mempolicy.h */

_Noreturn NO_SANITIZER static void give_up(keeper_child_t *child, int stage)
{
    child->error = errno;
    child->stage = stage;
    _exit(127);
}

NO_SANITIZER static void open_streams(keeper_child_t *child)
{
    for (int i = 0; i < 3; i++) {
        int fd = child->fd[i];
        if (fd < 0)
            fd = openat(child->spool, child->spool_name[i],
                        O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
        /* The keeper's own 0, 1 and 2 are always open: fd is another, and its copy survives execve. */
        if (fd < 0 || dup2(fd, i) < 0) give_up(child, KEEPER_STAGE_SET_UP);
    }
    if (child->pty && ioctl(0, TIOCSCTTY, 0) != 0) give_up(child, KEEPER_STAGE_SET_UP);
}

/* A wish: without it the job runs where the kernel likes. */
NO_SANITIZER static void bind_it(const keeper_child_t *child)
{
    if (child->bind_cpus) (void)syscall(SYS_sched_setaffinity, 0, sizeof child->cpus, child->cpus);
    if (child->bind_nodes &&
        syscall(SYS_set_mempolicy, BIND, child->nodes, (unsigned long)KEEPER_NODES) != 0)
        (void)syscall(SYS_set_mempolicy, PREFERRED, child->nodes, (unsigned long)KEEPER_NODES);
}

/* A script without #! is the shell's, as with execvp. */
NO_SANITIZER static void exec_one(keeper_child_t *child, const char *program)
{
    execve(program, child->argv, child->env);
    if (errno != ENOEXEC) return;
    child->argv[-1] = (char *)"/bin/sh";
    child->argv[0] = (char *)program;
    execve("/bin/sh", child->argv - 1, child->env);
}

/* Like execvp, with the PATH of the job; and like a shell where a directory is forbidden. */
NO_SANITIZER static void exec_by_path(keeper_child_t *child)
{
    char program[4096];
    const char *name = child->argv[0], *at = child->path;
    size_t bytes = strlen(name) + 1;
    bool forbidden = false;
    for (;;) {
        size_t length = strcspn(at, ":");
        if (length + 1 + bytes <= sizeof program) {
            memcpy(program, at, length);
            if (length > 0) program[length] = '/';
            memcpy(program + length + (length > 0), name, bytes);
            exec_one(child, program);
            if (errno ==
                EACCES) /* the program, or only its directory, where a shell sees nothing */
                forbidden |= access(program, F_OK) == 0;
            else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV &&
                     errno != ETIMEDOUT)
                return;
        }
        if (at[length] == '\0') break;
        at += length + 1;
    }
    errno = forbidden ? EACCES : ENOENT;
}

static NO_SANITIZER rlim_t lesser(rlim_t a, rlim_t b)
{
    return a < b ? a : b;
}

/* As the client has it; where we may not give so much, as much as we have ourselves. */
NO_SANITIZER static void limit_it(keeper_child_t *child, int what)
{
    const struct rlimit *wish = &child->limit[what];
    if (setrlimit((__rlimit_resource_t)what, wish) == 0) return;
    rlim_t hard = lesser(wish->rlim_max, child->most[what]);
    struct rlimit most = { lesser(wish->rlim_cur, hard), hard };
    if (errno != EPERM || setrlimit((__rlimit_resource_t)what, &most) != 0)
        give_up(child, KEEPER_STAGE_SET_UP);
}

_Noreturn NO_SANITIZER void keeper_child_run(keeper_child_t *child)
{
    sigset_t none;
    if (child->probe) _exit(0);
    if (setsid() < 0) give_up(child, KEEPER_STAGE_SET_UP);
    open_streams(child);
    bind_it(child);
    umask(child->umask);
    if (chdir(child->cwd) != 0) give_up(child, KEEPER_STAGE_CWD);
    for (int i = 0; i < BYRE__RLIMITS; i++)
        if (child->limited[i]) limit_it(child, i);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (child->argv[0][0] == '\0')
        errno = ENOENT;
    else if (strchr(child->argv[0], '/') != NULL)
        exec_one(child, child->argv[0]);
    else
        exec_by_path(child);
    give_up(child, KEEPER_STAGE_EXEC);
}
