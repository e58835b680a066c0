/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls of MPI on shared memory whose page is elsewhere. The kernel does not fault for them: it
 * returns EFAULT, MPI gives up the connection, and the program hangs or dies without a reason. So when
 * shared memory is first used, the calls by which MPI's libraries move users' bytes (readv, writev, and
 * process_vm_readv between processes of a node) are led through a look at their result: EFAULT for a
 * buffer in the window of shared memory ends the program with a message.
 *
 * Only MPI's own libraries are changed, in the tables by which they find those functions (ELF: the
 * relocations of the procedure linkage table); nothing of the application, nothing when there is no
 * shared memory in use.
 */
#include "region.h"

#include "log.h"
#include "paged.h"
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define JUMP_SLOT R_X86_64_JUMP_SLOT
#define GLOB_DAT R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define JUMP_SLOT R_AARCH64_JUMP_SLOT
#define GLOB_DAT R_AARCH64_GLOB_DAT
#endif

static size_t total(const struct iovec *iov, unsigned long count)
{
    size_t bytes = 0;
    for (unsigned long i = 0; i < count; i++) bytes += iov[i].iov_len;
    return bytes;
}

/* The kernel stopped somewhere behind `done` bytes: is there shared memory? */
static void check_stop(const struct iovec *iov, unsigned long count, size_t done, const char *what)
{
    for (unsigned long i = 0; i < count; i++) {
        if (done >= iov[i].iov_len) {
            done -= iov[i].iov_len;
            continue;
        }
        if (!byre__is_paged(iov[i].iov_base, iov[i].iov_len)) {
            done = 0;
            continue;
        }
        byre__dsm_say(
            "address %p of shared memory was given to MPI (%s), while its page is elsewhere: link "
            "with -lbyre_pmpi, or call byre_dsm_pin before the MPI call and "
            "byre_dsm_unpin after it",
            (void *)((char *)iov[i].iov_base + done), what);
        abort();
    }
}

static ssize_t checked_readv(int fd, const struct iovec *iov, int count)
{
    ssize_t done = readv(fd, iov, count);
    if (__builtin_expect(done < 0 && errno == EFAULT, 0)) {
        check_stop(iov, (unsigned long)count, 0, "receive");
        errno = EFAULT;
    }
    return done;
}

static ssize_t checked_writev(int fd, const struct iovec *iov, int count)
{
    ssize_t done = writev(fd, iov, count);
    if (__builtin_expect(done < 0 && errno == EFAULT, 0)) {
        check_stop(iov, (unsigned long)count, 0, "send");
        errno = EFAULT;
    }
    return done;
}

/* Between processes: either side may be shared memory, at the same address in both. */
static void check_copy(ssize_t done, const struct iovec *own, unsigned long own_count,
                       const struct iovec *peer, unsigned long peer_count)
{
    int saved = errno;
    if (done < 0 && saved != EFAULT) return;
    size_t copied = done > 0 ? (size_t)done : 0;
    if (copied >= total(own, own_count) || copied >= total(peer, peer_count)) return;
    check_stop(peer, peer_count, copied, "the other rank's buffer");
    check_stop(own, own_count, copied, "this rank's buffer");
    errno = saved;
}

static ssize_t checked_vm_readv(pid_t pid, const struct iovec *own, unsigned long own_count,
                                const struct iovec *peer, unsigned long peer_count,
                                unsigned long flags)
{
    ssize_t done = process_vm_readv(pid, own, own_count, peer, peer_count, flags);
    check_copy(done, own, own_count, peer, peer_count);
    return done;
}

static ssize_t checked_vm_writev(pid_t pid, const struct iovec *own, unsigned long own_count,
                                 const struct iovec *peer, unsigned long peer_count,
                                 unsigned long flags)
{
    ssize_t done = process_vm_writev(pid, own, own_count, peer, peer_count, flags);
    check_copy(done, own, own_count, peer, peer_count);
    return done;
}

#ifdef JUMP_SLOT

static const struct call {
    const char *name;
    void *checked;
} calls[] = {
    { "readv", (void *)checked_readv },
    { "writev", (void *)checked_writev },
    { "process_vm_readv", (void *)checked_vm_readv },
    { "process_vm_writev", (void *)checked_vm_writev },
};

static void lead(void **slot, void *to)
{
    size_t page = byre__dsm.page;
    char *start = (char *)((uintptr_t)slot & ~(uintptr_t)(page - 1)); /* NOLINT */
    /* The table may have been made read-only after the library was loaded; it stays writable then. */
    if (mprotect(start, page, PROT_READ | PROT_WRITE) == 0)
        __atomic_store_n(slot, to, __ATOMIC_RELEASE);
}

struct table {
    const ElfW(Rela) * start;
    size_t bytes;
};

static void lead_all(const struct dl_phdr_info *info, struct table table, const ElfW(Sym) * symbols,
                     const char *strings)
{
    for (size_t i = 0; i < table.bytes / sizeof *table.start; i++) {
        const ElfW(Rela) *rela = &table.start[i];
        unsigned long type = ELF64_R_TYPE(rela->r_info);
        if (type != JUMP_SLOT && type != GLOB_DAT) continue;
        const char *name = strings + symbols[ELF64_R_SYM(rela->r_info)].st_name;
        for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++)
            if (strcmp(name, calls[c].name) == 0)
                lead((void **)(info->dlpi_addr + rela->r_offset), calls[c].checked); /* NOLINT */
    }
}

static int lead_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    const ElfW(Dyn) *dynamic = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    struct table plt = { 0 }, data = { 0 };
    (void)size, (void)arg;
    if (!byre__dsm_origin_is_library(info->dlpi_name)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr); /* NOLINT */
    for (; dynamic != NULL && dynamic->d_tag != DT_NULL; dynamic++) {
        const void *at = (const void *)dynamic->d_un.d_ptr; /* NOLINT(performance-no-int-to-ptr) */
        if (dynamic->d_tag == DT_SYMTAB) symbols = at;
        if (dynamic->d_tag == DT_STRTAB) strings = at;
        if (dynamic->d_tag == DT_JMPREL) plt.start = at;
        if (dynamic->d_tag == DT_PLTRELSZ) plt.bytes = dynamic->d_un.d_val;
        if (dynamic->d_tag == DT_RELA) data.start = at;
        if (dynamic->d_tag == DT_RELASZ) data.bytes = dynamic->d_un.d_val;
    }
    if (symbols == NULL || strings == NULL) return 0;
    if (plt.start != NULL) lead_all(info, plt, symbols, strings);
    if (data.start != NULL) lead_all(info, data, symbols, strings);
    return 0;
}

static void lead_everything(void)
{
    (void)dl_iterate_phdr(lead_object, NULL);
}

void byre__dsm_origin_calls(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, lead_everything);
}

#else

void byre__dsm_origin_calls(void) {}

#endif
