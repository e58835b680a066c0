/* SPDX-License-Identifier: BSD-3-Clause */
#include "node.h"

#include "env.h"
#include "lane.h"
#include "log.h"
#include "transport.h"
#include <byre_errors.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { HANDOVER_TIMEOUT_MS = 20000 };

byre__node_map_t byre__nodes = { .bell = -1 };

/* What every rank tells the others. */
struct card {
    int32_t leader;     /* lowest rank of its node */
    int32_t node_ranks; /* rank 0's BYRE_NODE_RANKS is the job's */
    int32_t pid;
    uint64_t pid_namespace;
    uint64_t key; /* rank 0's names the sockets of the job */
    char host[64];
    struct in6_addr addresses[BYRE__ADDRESSES]; /* of its node; the rest is zero */
};

/* The addresses of this node, IPv4 ones as IPv6 writes them; without those of the loopback. */
static void list_addresses(struct in6_addr *addresses)
{
    struct ifaddrs *all = NULL;
    int count = 0;
    if (getifaddrs(&all) != 0) return;
    for (struct ifaddrs *at = all; at != NULL && count < BYRE__ADDRESSES; at = at->ifa_next) {
        if (at->ifa_addr == NULL || (at->ifa_flags & IFF_LOOPBACK)) continue;
        if (byre__address_of(at->ifa_addr, &addresses[count])) count++;
    }
    freeifaddrs(all);
}

bool byre__address_of(const struct sockaddr *name, struct in6_addr *address_out)
{
    if (name->sa_family == AF_INET6) {
        *address_out = ((const struct sockaddr_in6 *)(const void *)name)->sin6_addr;
        return true;
    }
    if (name->sa_family != AF_INET) return false;
    *address_out = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
    memcpy(&address_out->s6_addr[12], &((const struct sockaddr_in *)(const void *)name)->sin_addr,
           sizeof(struct in_addr));
    return true;
}

static int make_card(struct card *card)
{
    struct stat namespace = { 0 };
    memset(card, 0, sizeof *card);
    if (byre__transport->node_leader(&card->leader) != BYRE_OK) return BYRE_EMPI;
    card->node_ranks = byre__env_int(BYRE__ENV_NODE_RANKS);
    card->pid = (int32_t)getpid();
    if (stat("/proc/self/ns/pid", &namespace) == 0) card->pid_namespace = namespace.st_ino;
    if (getrandom(&card->key, sizeof card->key, 0) != sizeof card->key) return BYRE_ESYSTEM;
    const char *name = byre__env_string(BYRE__ENV_NODE_NAME);
    if (name[0] != '\0')
        memcpy(card->host, name, strnlen(name, sizeof card->host - 1));
    else
        (void)gethostname(card->host, sizeof card->host - 1);
    list_addresses(card->addresses);
    return BYRE_OK;
}

/* BYRE_NODE_NAME: the ranks of a machine that bear one name are a node. */
static void part_names(struct card *cards, int leader, int size)
{
    for (int r = leader; r < size; r++) {
        if (cards[r].leader != leader || strcmp(cards[r].host, cards[leader].host) == 0) continue;
        /* Behind it, so that it is parted in its turn. */
        for (int other = r + 1; other < size; other++)
            if (cards[other].leader == leader && strcmp(cards[other].host, cards[r].host) == 0)
                cards[other].leader = r;
        cards[r].leader = r;
    }
}

/* BYRE_NODE_RANKS: the ranks of a node, that many at a time, are nodes. */
static void part_numbers(struct card *cards, int leader, int size, int most)
{
    for (int r = leader, seen = 0, first = leader; r < size; r++) {
        if (cards[r].leader != leader) continue;
        if (seen % most == 0) first = r;
        cards[r].leader = first;
        seen++;
    }
}

/* Make several nodes of a machine, if that is wanted. */
static void split_machines(struct card *cards, int size)
{
    int most = cards[0].node_ranks;
    for (int r = 0; r < size; r++) {
        byre__nodes.peers[r].on_machine = 0;
        for (int before = cards[r].leader; before < r; before++)
            if (cards[before].leader == cards[r].leader) byre__nodes.peers[r].on_machine++;
    }
    for (int leader = 0; leader < size; leader++)
        if (cards[leader].leader == leader) part_names(cards, leader, size);
    for (int leader = 0; leader < size && most > 0; leader++)
        if (cards[leader].leader == leader) part_numbers(cards, leader, size, most);
}

/* Nodes are numbered in the order of their leaders. */
static void number_nodes(const struct card *cards, int rank, int size)
{
    byre__nodes.nodes = 0;
    byre__nodes.local_ranks = 0;
    for (int r = 0; r < size; r++) {
        int leader = cards[r].leader;
        if (leader == r) {
            byre__nodes.peers[r].node = byre__nodes.nodes;
            memcpy(byre__nodes.addresses[byre__nodes.nodes], cards[r].addresses,
                   sizeof cards[r].addresses);
            memcpy(byre__nodes.names[byre__nodes.nodes++], cards[r].host, sizeof cards[r].host);
        } else {
            byre__nodes.peers[r].node = byre__nodes.peers[leader].node;
        }
        if (leader == cards[rank].leader) byre__nodes.local_ranks++;
    }
    byre__nodes.node = byre__nodes.peers[rank].node;
}

static void watch_process(int rank, const struct card *theirs, const struct card *mine)
{
    byre__peer_node_t *peer = &byre__nodes.peers[rank];
    if (theirs->pid_namespace != mine->pid_namespace || theirs->pid == mine->pid) return;
    peer->pidfd = (int)syscall(SYS_pidfd_open, theirs->pid, 0);
}

static socklen_t socket_name(struct sockaddr_un *name, uint64_t key, int rank)
{
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    int length = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "byre-%016llx-%d",
                          (unsigned long long)key, rank);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* One datagram: the sender's rank, with its bell and, from the leader, the shared memory. */
static bool send_fds(int from, uint64_t key, int to, int bell, int memory)
{
    struct sockaddr_un name;
    int32_t rank = byre__nodes.rank;
    struct iovec data = { &rank, sizeof rank };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    size_t count = memory >= 0 ? 2 : 1;
    struct msghdr message = { .msg_name = &name,
                              .msg_namelen = socket_name(&name, key, to),
                              .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    int fds[2] = { bell, memory };
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    return sendmsg(from, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof rank;
}

static bool receive_fds(int at, int *memory_out)
{
    int32_t rank = -1;
    struct iovec data = { &rank, sizeof rank };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct msghdr message = { .msg_iov = &data,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    if (recvmsg(at, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof rank)
        return false;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return false;
    int fds[2] = { -1, -1 };
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), bytes < sizeof fds ? bytes : sizeof fds);
    if (rank < 0 || rank >= byre__nodes.size || byre__nodes.peers[rank].bell >= 0) {
        for (int i = 0; i < 2; i++)
            if (fds[i] >= 0) close(fds[i]);
        return false; /* not one of ours */
    }
    byre__nodes.peers[rank].bell = fds[0];
    if (fds[1] >= 0) *memory_out = fds[1];
    return true;
}

/* Give every local rank our bell and get theirs. Sockets are short of room for many datagrams, so
 * sending and receiving take turns. */
static int hand_over(int at, const struct card *cards, int *memory)
{
    int rank = byre__nodes.rank, to = 0, missing = byre__nodes.local_ranks - 1;
    int own_memory = cards[rank].leader == rank ? *memory : -1;
    for (int waited = 0; waited < HANDOVER_TIMEOUT_MS;) {
        while (receive_fds(at, memory)) missing--;
        while (to < byre__nodes.size &&
               (to == rank || cards[to].leader != cards[rank].leader ||
                send_fds(at, cards[0].key, to, byre__nodes.bell, own_memory)))
            to++;
        if (to == byre__nodes.size && missing == 0) return BYRE_OK;
        struct pollfd ready = { .fd = at, .events = POLLIN };
        if (poll(&ready, 1, 5) == 0) waited += 5;
    }
    byre__error("ranks of this node did not answer within %d s: do they share a network namespace?",
                HANDOVER_TIMEOUT_MS / 1000);
    return BYRE_ESYSTEM;
}

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static int share_with_node(const struct card *cards)
{
    struct sockaddr_un name;
    int rank = byre__nodes.rank, memory = -1, error = BYRE_ESYSTEM;
    size_t ranks = (size_t)byre__nodes.local_ranks, slots = sizeof(byre__slot_t) * ranks;
    size_t bytes = slots + ranks * ranks * byre__lane_bytes(); /* used only as far as touched */
    byre__nodes.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int at = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ready = byre__nodes.bell >= 0 && at >= 0;
    if (ready && cards[rank].leader == rank) {
        memory = memfd_create("byre-node", MFD_CLOEXEC);
        ready = memory >= 0 && ftruncate(memory, (off_t)bytes) == 0;
    }
    if (ready)
        ready = bind(at, (struct sockaddr *)&name, socket_name(&name, cards[0].key, rank)) == 0;
    /* Every socket must be bound before the first datagram; everyone learns whether it is, and whether
     * senders may leave barriers to sleepers. */
    enum { READY = 1, BARRIERS = 2 };
    bool barriers = membarrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED) == 0;
    char mine = (char)(ready * READY + barriers * BARRIERS);
    char *all = malloc((size_t)byre__nodes.size);
    if (all == NULL) error = BYRE_ENOMEM;
    if (all == NULL || byre__transport->allgather(&mine, all, 1) != BYRE_OK) goto close_all;
    for (int r = 0; r < byre__nodes.size; r++) {
        ready = ready && (all[r] & READY);
        byre__nodes.fences = byre__nodes.fences || !(all[r] & BARRIERS);
    }
    if (!ready || (error = hand_over(at, cards, &memory)) != BYRE_OK) goto close_all;
    byre__nodes.slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (byre__nodes.slots == MAP_FAILED) {
        byre__nodes.slots = NULL;
        error = BYRE_ENOMEM;
    } else {
        byre__nodes.lanes = (unsigned char *)byre__nodes.slots + slots;
        byre__nodes.shared_bytes = bytes;
    }
close_all:
    free(all);
    if (at >= 0) close(at);
    if (memory >= 0) close(memory);
    return error;
}

static void assign_slots(const struct card *cards)
{
    int next = 0, rank = byre__nodes.rank;
    for (int r = 0; r < byre__nodes.size; r++) {
        if (cards[r].leader != cards[rank].leader) continue;
        byre__nodes.peers[r].slot = &byre__nodes.slots[next++];
        watch_process(r, &cards[r], &cards[rank]);
    }
    byre__nodes.mine = byre__nodes.peers[rank].slot;
    byre__nodes.mine->pid = cards[rank].pid;
    byre__nodes.peers[rank].bell = byre__nodes.bell;
}

int byre__node_init(int rank, int size)
{
    struct card mine, *cards = calloc((size_t)size, sizeof *cards);
    byre__nodes = (byre__node_map_t){ .rank = rank, .size = size, .bell = -1 };
    byre__nodes.peers = calloc((size_t)size, sizeof *byre__nodes.peers);
    byre__nodes.names = calloc((size_t)size, sizeof *byre__nodes.names);
    byre__nodes.addresses = calloc((size_t)size, sizeof *byre__nodes.addresses);
    for (int r = 0; byre__nodes.peers != NULL && r < size; r++)
        byre__nodes.peers[r].bell = byre__nodes.peers[r].pidfd = -1;
    int error = BYRE_ENOMEM;
    if (cards == NULL || byre__nodes.peers == NULL || byre__nodes.names == NULL ||
        byre__nodes.addresses == NULL)
        goto out;
    error = make_card(&mine);
    if (error == BYRE_OK) error = byre__transport->allgather(&mine, cards, sizeof mine);
    if (error != BYRE_OK) goto out;
    split_machines(cards, size);
    number_nodes(cards, rank, size);
    error = share_with_node(cards);
    if (error == BYRE_OK) assign_slots(cards);
out:
    free(cards);
    if (error != BYRE_OK) byre__node_fini();
    return error;
}

void byre__node_fini(void)
{
    for (int r = 0; byre__nodes.peers != NULL && r < byre__nodes.size; r++) {
        byre__peer_node_t *peer = &byre__nodes.peers[r];
        if (peer->pidfd >= 0) close(peer->pidfd);
        if (peer->bell >= 0 && r != byre__nodes.rank) close(peer->bell);
    }
    if (byre__nodes.bell >= 0) close(byre__nodes.bell);
    if (byre__nodes.slots != NULL) munmap(byre__nodes.slots, byre__nodes.shared_bytes);
    free(byre__nodes.peers);
    free(byre__nodes.names);
    free(byre__nodes.addresses);
    byre__nodes = (byre__node_map_t){ .bell = -1 };
}

struct byre__lane *byre__node_lane(int from, int to)
{
    const byre__peer_node_t *peers = byre__nodes.peers;
    ptrdiff_t row = peers[from].slot - byre__nodes.slots,
              column = peers[to].slot - byre__nodes.slots;
    size_t number = (size_t)(row * byre__nodes.local_ranks + column);
    return (struct byre__lane *)(void *)(byre__nodes.lanes + number * byre__lane_bytes());
}

void byre__wake_barrier(void)
{
    if (byre__nodes.fences || membarrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED) != 0)
        atomic_thread_fence(memory_order_seq_cst);
}

void byre__bell_ring(int fd)
{
    uint64_t one = 1;
    ssize_t written;
    do written = write(fd, &one, sizeof one);
    while (written < 0 && errno == EINTR); /* EAGAIN: it rings already */
}
