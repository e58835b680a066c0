/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A heartbeat that is sent behind a large message over the same TCP connection comes when that message
 * is through: after seconds, perhaps. But then bytes of the message come all the time, and the kernel
 * knows when a socket last received some. A socket does not tell which rank is at its other end, only
 * which node: that is enough, because of a rank that dies among others of its node these tell at
 * once, and one that is alone on its node has all of its sockets.
 */
#include "lifesign.h"

#include "node.h"
#include <dirent.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Nodes that are parts of one machine have its addresses in common: these tell nothing of one of them. */
static bool is_shared(const struct in6_addr *address, int node)
{
    for (int other = 0; other < byre__nodes.nodes; other++)
        for (int i = 0; other != node && i < BYRE__ADDRESSES; i++)
            if (memcmp(address, &byre__nodes.addresses[other][i], sizeof *address) == 0)
                return true;
    return false;
}

static bool leads_to(int fd, int node)
{
    struct sockaddr_storage name;
    struct in6_addr address;
    socklen_t length = sizeof name;
    if (getpeername(fd, (struct sockaddr *)&name, &length) != 0) return false;
    if (!byre__address_of((const struct sockaddr *)&name, &address)) return false;
    for (int i = 0; i < BYRE__ADDRESSES; i++)
        if (memcmp(&address, &byre__nodes.addresses[node][i], sizeof address) == 0)
            return !is_shared(&address, node);
    return false;
}

static bool received_within(int fd, uint32_t ms)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
    return info.tcpi_state == TCP_ESTABLISHED && info.tcpi_last_data_recv < ms;
}

bool byre__lifesign_within(int node, uint32_t ms)
{
    DIR *all = opendir("/proc/self/fd");
    bool found = false;
    if (all == NULL) return false;
    for (struct dirent *entry; !found && (entry = readdir(all)) != NULL;) {
        int fd = atoi(entry->d_name);
        found = entry->d_name[0] != '.' && leads_to(fd, node) && received_within(fd, ms);
    }
    closedir(all);
    return found;
}
