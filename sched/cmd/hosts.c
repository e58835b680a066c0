/* SPDX-License-Identifier: BSD-3-Clause */
/* hosts.c - is this machine one of those that a list or a hostfile names? */
#include "launch.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a == NULL || b == NULL || a->sa_family != b->sa_family) return false;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
                      &((const struct sockaddr_in *)b)->sin_addr, sizeof(struct in_addr)) == 0;
    return a->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

/* Does one of its addresses belong to this machine? */
static bool is_ours_by_address(const char *host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
    struct ifaddrs *own = NULL;
    bool ours = false;

    if (getaddrinfo(host, NULL, &hints, &found) != 0) return false;
    if (getifaddrs(&own) == 0) {
        for (struct addrinfo *a = found; a != NULL && !ours; a = a->ai_next) {
            for (struct ifaddrs *i = own; i != NULL && !ours; i = i->ifa_next)
                ours = same_address(a->ai_addr, i->ifa_addr);
        }
        freeifaddrs(own);
    }
    freeaddrinfo(found);
    return ours;
}

/* The names first: they need no network. */
static bool is_this(const char *host)
{
    char name[256];
    size_t shorter;

    if (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0) return true;
    if (gethostname(name, sizeof name) == 0) {
        name[sizeof name - 1] = '\0';
        if (strcmp(name, host) == 0) return true;
        shorter = strcspn(name, ".");
        if (strncmp(name, host, shorter) == 0 && (host[shorter] == '\0' || host[shorter] == '.'))
            return true;
    }
    return is_ours_by_address(host);
}

static int in_list(const char *list)
{
    char *copy = strdup(list), *next = NULL;
    int found = 0;

    if (copy == NULL) return -1;
    for (char *host = strtok_r(copy, ",", &next); host && !found;
         host = strtok_r(NULL, ",", &next)) {
        host[strcspn(host, ":")] = '\0';
        found = is_this(host);
    }
    free(copy);
    return found;
}

static int in_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    int found = 0;

    if (file == NULL) return -1;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        char *host = line + strspn(line, " \t");

        host[strcspn(host, " \t\n#:")] = '\0';
        if (strrchr(host, '@') != NULL) host = strrchr(host, '@') + 1; /* user@host */
        if (host[0] != '\0') found = is_this(host);
    }
    fclose(file);
    return found;
}

int hosts_include_this(const char *list, const char *file)
{
    return list != NULL ? in_list(list) : in_file(file);
}
