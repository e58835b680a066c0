/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - byred-keeper DIR: see keeper.h. The order in which things begin is in `begin', and matters. */
#include "sched/keeper/keeper.h"

#include <byre_errors.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

enum { LOG_MOST = 1 << 20, DIR_FD = 3, WORD_FD = 4 };

static const char usage[] =
    "usage: byred-keeper [--no-cgroup] DIR\n\n"
    "Holds the jobs of this node, apart from the daemon. `byre up' starts it; DIR is the state\n"
    "directory of the pool and node. One runs already: nothing happens, exit status 0.\n\n"
    "  --no-cgroup   make no cgroups, even where that is allowed\n"
    "  --version, --help\n";

typedef struct options {
    const char *dir;
    bool groups;
} options_t;

/* Exits if there is nothing more to do. */
static options_t read_options(int argc, char **argv)
{
    options_t options = { .groups = true };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            exit(0);
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("byred-keeper " PACKAGE_VERSION);
            exit(0);
        }
        if (strcmp(argv[i], "--no-cgroup") == 0)
            options.groups = false;
        else if (argv[i][0] != '-' && options.dir == NULL)
            options.dir = argv[i];
        else
            goto misuse;
    }
    if (options.dir != NULL) return options;
misuse:
    fputs(usage, stderr);
    exit(2);
}

/* ---- descriptors: 0 1 2 DIR WORD, and nothing else ------------------------------------------------------ */

static int open_dir(const char *path)
{
    struct stat status;
    int fd;
    do {
        fd = open("/dev/null", O_RDWR); /* 0, 1 and 2 must not become anything else */
    } while (fd >= 0 && fd <= 2);
    close(fd);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        fprintf(stderr, "byred-keeper: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0) {
        fprintf(stderr,
                "byred-keeper: %s: must belong to you and be open to nobody else: chmod 700\n",
                path);
        exit(1);
    }
    return fd;
}

static int open_log(int dir)
{
    struct stat status;
    if (fstatat(dir, "keeper.log", &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_size > LOG_MOST)
        renameat(dir, "keeper.log", dir, "keeper.log.old");
    return openat(dir, "keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static void settle_descriptors(int dir, int word)
{
    int copy = fcntl(dir, F_DUPFD_CLOEXEC, 64), word_copy = fcntl(word, F_DUPFD_CLOEXEC, 64);
    dup3(copy, DIR_FD, O_CLOEXEC);
    dup3(word_copy, WORD_FD, O_CLOEXEC);
    close_range(WORD_FD + 1, ~0U, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), log = open_log(DIR_FD);
    dup2(null, 0);
    dup2(null, 1);
    dup2(log >= 0 ? log : null, 2);
    close_range(WORD_FD + 1, ~0U, 0);
}

/* ---- begin, end --------------------------------------------------------------------------------------------- */

static void watch_init(keeper_t *k, keeper_watch_t *watch, int what, int fd)
{
    *watch = (keeper_watch_t){ .what = what, .fd = fd };
    keeper_watch(k, watch, EPOLLIN);
}

/* NULL, or what went wrong; errno says more. */
static const char *open_things(keeper_t *k)
{
    struct stat status;
    char path[64];
    sigset_t set;
    k->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    k->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    k->epoll = epoll_create1(EPOLL_CLOEXEC);
    k->chunk = malloc(KEEPER_WINDOW);
    if (k->null < 0 || k->reserve < 0 || k->epoll < 0 || k->chunk == NULL)
        return "/dev/null, epoll";
    if (mkdirat(k->dir, "spool", 0700) != 0 && errno != EEXIST) return "spool";
    k->spool = openat(k->dir, "spool", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (k->spool < 0 || fstat(k->dir, &status) != 0) return "spool";
    snprintf(k->identity, sizeof k->identity, "%llx-%llx", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    k->self = getpid();
    snprintf(path, sizeof path, "/proc/self/task/%d/children", k->self);
    k->children = open(path, O_RDONLY | O_CLOEXEC);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) return "signalfd";
    watch_init(k, &k->signals, KEEPER_SIGNALS, fd);
    return NULL;
}

/* Processes of an earlier keeper, before their ends are told to anybody. */
static void kill_old(keeper_t *k)
{
    size_t left = keeper_tree_kill_old(k), killed = left;
    for (int i = 0; left > 0 && i < KEEPER_GIVE_UP_MS / 10; i++) {
        usleep(10000);
        left = keeper_tree_kill_old(k);
    }
    if (killed > 0) keeper_log("killed %zu processes that an earlier keeper left", killed);
    if (left > 0) keeper_log("%zu processes of an earlier keeper cannot be killed", left);
}

static const char *begin(keeper_t *k, const options_t *options)
{
    const char *wrong;
    char dir[64];
    keeper_start_neutral(k);
    unlinkat(k->dir, "keeper.sock", 0); /* nobody is there yet */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) != 0) return "PR_SET_CHILD_SUBREAPER";
    if ((wrong = open_things(k)) != NULL) return wrong;
    kill_old(k);
    keeper_spool_tidy(k); /* of an earlier keeper */
    keeper_tmp_begin(k);
    if (options->groups) keeper_group_init(k);
    if (keeper_journal_open(k) != BYRE_OK) return "ends";
    snprintf(dir, sizeof dir, "/proc/self/fd/%d", k->dir);
    int fd = byre__unix_listen(dir, "keeper.sock");
    if (fd < 0) return "keeper.sock";
    watch_init(k, &k->listen, KEEPER_LISTEN, fd);
    return NULL;
}

static void end(keeper_t *k)
{
    keeper_tree_kill_orphans(k);
    unlinkat(k->dir, "keeper.sock", 0);
    keeper_group_fini(k);
    keeper_spool_tidy(k);
    keeper_tmp_end(k);
    if (k->count == 0) unlinkat(k->dir, "ends", 0);
    unlinkat(k->dir, "spool", AT_REMOVEDIR); /* unless there is something in it */
    keeper_log("the keeper ends; %zu ends are not forgotten", k->count);
}

int main(int argc, char **argv)
{
    static keeper_t k;
    options_t options = read_options(argc, argv);
    int dir = open_dir(options.dir), word = keeper_start_daemon();
    settle_descriptors(dir, word);
    if (chdir("/") != 0) keeper_log("chdir /: %s", strerror(errno));
    int locked = keeper_start_lock(DIR_FD);
    if (locked == 0) {
        keeper_start_tell(WORD_FD, "");
        return 0;
    }
    k.dir = DIR_FD;
    k.journal = k.group_root = k.stream.fd = k.daemon.fd = -1;
    k.daemon.what = KEEPER_DAEMON;
    k.next_at_ms = UINT64_MAX;
    k.began_ms = keeper_date_ms();
    const char *wrong = locked < 0 ? "keeper.lock" : begin(&k, &options);
    if (wrong != NULL) {
        char text[256];
        snprintf(text, sizeof text, "%s in the state directory: %s", wrong, strerror(errno));
        keeper_log("%s", text);
        keeper_start_tell(WORD_FD, text);
        return 1;
    }
    keeper_start_ready();
    keeper_start_tell(WORD_FD, "");
    keeper_log("the keeper begins, process %d, %zu ends of earlier jobs", k.self, k.count);
    int status = keeper_run(&k);
    end(&k);
    return status;
}
