/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is mapped at an address. Since Linux 6.11 /proc/self/maps answers this with one ioctl (1.5 us);
 * before, its text has to be read up to the line (about 50 us in an MPI process).
 *
 * Nothing is kept open between two uses: a descriptor would speak of the parent after a fork.
 */
#include "maps.h"

#include "rawsys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool byre__maps_as_text;

int byre__maps_open(void)
{
    return byre__raw_open("/proc/self/maps", O_RDONLY);
}

void byre__maps_close(int maps)
{
    if (maps >= 0) byre__raw_close(maps);
}

/* ---- the ioctl -------------------------------------------------------------------------------- */

/* As in <linux/fs.h> of 6.11, which older distributions lack. */
struct map_query {
    uint64_t size, query_flags, query_addr;
    uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
    uint32_t dev_major, dev_minor;
    uint32_t vma_name_size, build_id_size;
    uint64_t vma_name_addr, build_id_addr;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)
enum { MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4, MAP_IS_SHARED = 8 };

enum answer { HERE, NOTHING, NO_ANSWER };

static enum answer ask(int maps, uintptr_t addr, byre__mapping_t *mapping_out)
{
    char name[256] = "";
    struct map_query q = { .size = sizeof q,
                           .query_addr = addr,
                           .vma_name_addr = (uintptr_t)name,
                           .vma_name_size = sizeof name };

    if (ioctl(maps, MAP_QUERY, &q)) return errno == ENOENT ? NOTHING : NO_ANSWER;
    mapping_out->start = q.vma_start;
    mapping_out->end = q.vma_end;
    mapping_out->readable = (q.vma_flags & MAP_READ) != 0;
    mapping_out->shared = (q.vma_flags & MAP_IS_SHARED) != 0;
    mapping_out->plain = (q.vma_flags & (MAP_READ | MAP_WRITE | MAP_EXEC | MAP_IS_SHARED)) ==
                             (MAP_READ | MAP_WRITE) &&
                         q.inode == 0 && q.vma_page_size == (uint64_t)sysconf(_SC_PAGESIZE) &&
                         strcmp(name, "[stack]") != 0;
    return HERE;
}

/* ---- the text --------------------------------------------------------------------------------- */

/* "start-end rwxp offset major:minor inode   name". Pages of another size have an inode. */
static bool parse(const char *line, byre__mapping_t *mapping_out)
{
    unsigned long start, end, inode;
    char access[5], name[16] = "";

    if (sscanf(line, "%lx-%lx %4s %*s %*s %lu %15s", &start, &end, access, &inode, name) < 4)
        return false;
    mapping_out->start = start;
    mapping_out->end = end;
    mapping_out->readable = access[0] == 'r';
    mapping_out->shared = access[3] == 's';
    mapping_out->plain = strcmp(access, "rw-p") == 0 && inode == 0 && strcmp(name, "[stack]") != 0;
    return true;
}

/* Reads the text line by line, with a buffer of its own: it may not move memory by allocating. */
static bool read_through(int maps, uintptr_t addr, byre__mapping_t *mapping_out)
{
    char text[16384];
    size_t kept = 0;
    ssize_t got;

    if (lseek(maps, 0, SEEK_SET) != 0) return false;
    while ((got = read(maps, text + kept, sizeof text - 1 - kept)) > 0) {
        char *line = text, *end;
        text[kept + (size_t)got] = '\0';
        while ((end = strchr(line, '\n')) != NULL) {
            *end = '\0';
            if (parse(line, mapping_out) && addr < mapping_out->end)
                return addr >= mapping_out->start;
            line = end + 1;
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    return false;
}

bool byre__maps_at(int maps, uintptr_t addr, byre__mapping_t *mapping_out)
{
    enum answer answer = byre__maps_as_text ? NO_ANSWER : ask(maps, addr, mapping_out);

    if (answer == NO_ANSWER) return read_through(maps, addr, mapping_out);
    return answer == HERE;
}
