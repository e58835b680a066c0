/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MPI gives no descriptor to wait on, and a thread blocked in MPI ruins the others. But messages
 * from other nodes come over TCP sockets of this process, and a socket may be watched by a second
 * epoll instance without MPI noticing: edge-triggered, so that what MPI has not read yet does not
 * keep us awake. Found through /proc/self/fd. Somebody else's socket among them costs a look at
 * an empty queue. They are watched only while somebody sleeps: a watched socket makes every message
 * that comes over it dearer (measured: twice as dear), also when nobody is woken.
 */
#include "sleep.h"

#include "log.h"
#include "node.h"
#include <byre_errors.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 16 }; /* epoll data: BYRE__WOKEN_* */

static struct {
    int epoll;
    int first_free; /* lowest unused descriptor at the last scan */
    int *list;      /* sockets found by it */
    int count, room;
    int at_start; /* of them when the engine started: launcher's, perhaps */
    bool covers;  /* one of them leads to another node */
} sleeper = { .epoll = -1 };

_Atomic int byre__sleep_watching; /* they are in the epoll instance */

static int watch(int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };
    return epoll_ctl(sleeper.epoll, EPOLL_CTL_ADD, fd, &event);
}

static bool is_tcp_socket(int fd)
{
    int domain = 0, type = 0;
    socklen_t length = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0) return false;
    length = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return false;
    return (domain == AF_INET || domain == AF_INET6) && type == SOCK_STREAM;
}

static bool grow(void)
{
    if (sleeper.count < sleeper.room) return true;
    int room = sleeper.room + 64;
    int *bigger = realloc(sleeper.list, (size_t)room * sizeof *bigger);
    if (bigger == NULL) return false;
    sleeper.list = bigger;
    sleeper.room = room;
    return true;
}

static void scan(void)
{
    DIR *all = opendir("/proc/self/fd");
    if (all == NULL) return;
    sleeper.count = 0;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] != '.' && is_tcp_socket(fd) && grow())
            sleeper.list[sleeper.count++] = fd;
    }
    closedir(all);
}

void byre__sleep_watch(void)
{
    /* New sockets take the lowest free numbers: if that has not moved, there is none. */
    int probe = fcntl(sleeper.epoll, F_DUPFD_CLOEXEC, 0);
    if (probe >= 0) close(probe);
    if (probe == sleeper.first_free && byre__sleep_watching) return;
    if (probe != sleeper.first_free) scan();
    sleeper.first_free = probe;
    byre__sleep_watching = 1;
    for (int i = 0; i < sleeper.count; i++) /* those that are in it already stay (EEXIST) */
        (void)watch(sleeper.list[i], EPOLLIN | EPOLLET, BYRE__WOKEN_SOCKET);
}

void byre__sleep_unwatch_all(void)
{
    byre__sleep_watching = 0;
    for (int i = 0; i < sleeper.count; i++)
        (void)epoll_ctl(sleeper.epoll, EPOLL_CTL_DEL, sleeper.list[i], NULL);
}

int byre__sleep_init(void)
{
    sleeper.first_free = -1;
    sleeper.covers = false;
    sleeper.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (sleeper.epoll < 0 || watch(byre__nodes.bell, EPOLLIN, BYRE__WOKEN_BELL) != 0) {
        byre__sleep_fini();
        return BYRE_ESYSTEM;
    }
    for (int r = 0; r < byre__nodes.size; r++)
        if (byre__nodes.peers[r].pidfd >= 0)
            (void)watch(byre__nodes.peers[r].pidfd, EPOLLIN, BYRE__WOKEN_DEATH);
    if (byre__nodes.size > 1) byre__sleep_watch();
    sleeper.at_start = sleeper.count;
    return BYRE_OK;
}

void byre__sleep_fini(void)
{
    if (sleeper.epoll >= 0) close(sleeper.epoll);
    sleeper.epoll = -1;
    free(sleeper.list);
    sleeper.list = NULL;
    sleeper.count = sleeper.room = 0;
    byre__sleep_watching = 0;
}

unsigned byre__sleep(uint64_t ns)
{
    struct epoll_event events[MAX_EVENTS];
    struct timespec limit = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    byre__count(sleeps);
    int n = epoll_pwait2(sleeper.epoll, events, MAX_EVENTS, &limit, NULL);
    if (n < 0 && errno == ENOSYS) /* before Linux 5.11: whole milliseconds */
        n = epoll_wait(sleeper.epoll, events, MAX_EVENTS, (int)(ns / 1000000u) + 1);
    uint64_t rings;
    unsigned what = 0;
    for (int i = 0; i < n; i++) what |= (unsigned)events[i].data.u64;
    if ((what & BYRE__WOKEN_BELL) && read(byre__nodes.bell, &rings, sizeof rings) < 0)
        return what; /* somebody else took the ring */
    return what;
}

void byre__sleep_wake(void)
{
    byre__bell_ring(byre__nodes.bell);
}

static bool is_of(const struct in6_addr *address, int node)
{
    for (int i = 0; i < BYRE__ADDRESSES; i++)
        if (memcmp(address, &byre__nodes.addresses[node][i], sizeof *address) == 0) return true;
    return false;
}

/* To another node, by an address that is not this one's too: to itself a machine has the launcher's sockets, and
 * messages between nodes that are parts of it may come another way. */
static bool leads_away(int fd)
{
    struct sockaddr_storage name;
    struct in6_addr address;
    socklen_t length = sizeof name;
    if (getpeername(fd, (struct sockaddr *)&name, &length) != 0) return false;
    if (!byre__address_of((const struct sockaddr *)&name, &address)) return false;
    if (is_of(&address, byre__nodes.node)) return false;
    for (int node = 0; node < byre__nodes.nodes; node++)
        if (node != byre__nodes.node && is_of(&address, node)) return true;
    return false;
}

/* MPI has opened sockets since the start, or has had one to another node before: what it needs to agree on the
 * nodes may have opened all that there will be. */
bool byre__sleep_covers_network(void)
{
    if (byre__nodes.nodes == 1 || sleeper.count > sleeper.at_start) return true;
    for (int i = 0; !sleeper.covers && i < sleeper.count; i++)
        sleeper.covers = leads_away(sleeper.list[i]);
    return sleeper.covers;
}

void byre__sleep_forget_process(int pidfd)
{
    (void)epoll_ctl(sleeper.epoll, EPOLL_CTL_DEL, pidfd, NULL);
}
