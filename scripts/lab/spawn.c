/* SPDX-License-Identifier: BSD-3-Clause */
/* spawn.c - usage: spawn COMMAND...: runs COMMAND as process 1 of a new machine.
 *
 * The machine is a set of new namespaces: network, host name (UTS), System V and POSIX IPC, process
 * numbers, and mounts. Prints the number that COMMAND has outside, and ends; COMMAND goes on, with no
 * file open but 0, 1 and 2. What it prints goes to stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static int complain(const char *what)
{
    fprintf(stderr, "spawn: %s: %s\n", what, strerror(errno));
    return 1;
}

static int become(char **command)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    /* A lock file, for one, must not stay open in a machine that lives for hours. */
    close_range(3, ~0u, 0);
    execvp(command[0], command);
    return complain(command[0]);
}

int main(int argc, char **argv)
{
    pid_t child;

    if (argc < 2) {
        fputs("usage: spawn COMMAND...\n", stderr);
        return 2;
    }
    if (unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNS)) {
        return complain("no new namespaces");
    }
    /* What is mounted in there must not appear out here. */
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
        return complain("cannot make mounts private");
    }
    child = fork();
    if (child < 0) {
        return complain("fork");
    }
    if (child == 0) {
        return become(argv + 1);
    }
    printf("%ld\n", (long)child);
    return 0;
}
