/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The SIGSEGV dispatcher. Interface: fault.h.
 *
 *   fault -> on_signal -> claim: range found, its resolver says true --> retry the access
 *                           |
 *                           +-- no range, but one may just have gone (is_stale) --> retry
 *                           |
 *                           +-- else pass_on: earlier handler, or the default, or ignore
 *
 * Why this is safe in a signal handler, in numbered invariants:
 *
 *  F1  Between the fault and the resolver the handler takes no lock, allocates nothing and waits for
 *      nobody: it reads the current table, which is never changed while it is visible.
 *  F2  A table is reused only when no reader can have it: readers are counted on one of two sides;
 *      the writer, having published the new table, sees both sides empty once. Readers stay for a
 *      binary search only, so that wait is short, whatever resolvers do.
 *  F3  A range is freed only when no resolver of it runs or will: `running` is raised inside the
 *      reader section, so after F2's wait it can only fall, and the writer waits for 0. Resolvers
 *      of *other* ranges may take as long as they like: a resolver may drive the engine, and the
 *      engine may unregister a range.
 *  F4  While the handler runs, signals that others send are blocked. So no handler of the application
 *      interrupts a resolver, and none ever finds a half-done resolver below it on its own stack.
 *      Signals that the thread causes itself stay open: blocking them would turn a resolver's own
 *      fault into an unconditional kill. A resolver that faults is dispatched like anybody else.
 *  F5  When a fault is passed on, nothing is held: the earlier handler may leave by siglongjmp. So may a
 *      resolver that has called byre__fault_leave.
 *  F6  A fault in a range that is taken away between the fault and the look-up is not a bug of the
 *      application. `removals` counts up before a range leaves the table. A fault that nobody claims
 *      is passed on only if `removals` has not changed since this thread's previous unclaimed fault:
 *      then no range has gone since the access, which came later than that. A real bug costs one more
 *      round through the kernel, with the same siginfo.
 *  F7  errno is what it was, for the interrupted code and for the earlier handler.
 *  F8  The mutex of writers never waits for itself. It is taken in a signal handler only by an engine
 *      that a resolver drives, which it may only when the interrupted thread was not inside the
 *      runtime (fault.h); the holder is marked as inside.
 *
 * A thread that blocks SIGSEGV is killed by its first fault, as the kernel defines: Byre's threads
 * must leave it open. A thread with an alternate signal stack runs resolvers on it.
 */
#include "fault.h"
#include "fault_arch.h"
#include "log.h"
#include "rawsys.h"

#include <byre_errors.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

struct range {
    uintptr_t start, end;
    byre__fault_fn fn;
    void *arg;
    _Atomic unsigned running; /* resolvers at work, F3 */
};

/* Sorted by address, immutable while `current` points to it. */
struct table {
    size_t count, room;
    struct range *ranges[];
};

_Thread_local int byre__inside __attribute__((tls_model("initial-exec")));

static struct table no_ranges;
static struct table *_Atomic current = &no_ranges;
static struct table *spare = &no_ranges; /* the next current; under `writers` */
static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static _Atomic unsigned side_now;   /* its lowest bit: the side that new readers take */
static _Atomic unsigned readers[2]; /* F2 */

static _Atomic uint64_t removals; /* F6 */
static _Thread_local uint64_t removals_seen __attribute__((tls_model("initial-exec")));

/* ---- the table: readers --------------------------------------------------------------------- */

/* The first range that ends behind addr. */
static size_t table_find(const struct table *table, uintptr_t addr)
{
    size_t low = 0, high = table->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->ranges[middle]->end <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The range of addr with its `running` raised, or NULL. F1, F3. */
static struct range *range_enter(uintptr_t addr)
{
    unsigned side = atomic_load(&side_now) & 1u;
    atomic_fetch_add(&readers[side], 1u); /* before the table is read: F2 */

    const struct table *table = atomic_load(&current);
    size_t at = table_find(table, addr);
    struct range *range = NULL;
    if (at < table->count && table->ranges[at]->start <= addr) {
        range = table->ranges[at];
        atomic_fetch_add(&range->running, 1u);
    }

    atomic_fetch_sub(&readers[side], 1u);
    return range;
}

static void range_leave(struct range *range)
{
    atomic_fetch_sub(&range->running, 1u);
}

void byre__fault_leave(const byre__fault_t *fault)
{
    range_leave(fault->range);
}

/* ---- the table: writers ----------------------------------------------------------------------- */

static void writers_enter(void)
{
    byre__inside_enter(); /* F8 */
    pthread_mutex_lock(&writers);
}

static void writers_leave(void)
{
    pthread_mutex_unlock(&writers);
    byre__inside_leave();
}

/* F2. New readers take the other side, so that this one empties however often others fault. */
static void wait_for_readers(void)
{
    for (int i = 0; i < 2; i++) {
        unsigned side = atomic_fetch_add(&side_now, 1u) & 1u;
        for (unsigned turn = 0; atomic_load(&readers[side]) != 0; turn++) byre__raw_pause(turn);
    }
}

/* Make the spare table current; the old one becomes the spare when nobody can read it. */
static void table_publish(void)
{
    struct table *old = atomic_load(&current);

    atomic_store(&current, spare);
    wait_for_readers();
    spare = old;
}

static int spare_reserve(size_t count)
{
    if (spare->room >= count) return BYRE_OK;
    size_t room = count < 8 ? 8 : 2 * count;
    struct table *bigger = malloc(sizeof *bigger + room * sizeof bigger->ranges[0]);
    if (!bigger) return BYRE_ENOMEM;
    if (spare != &no_ranges) free(spare);
    bigger->count = 0;
    bigger->room = room;
    spare = bigger;
    return BYRE_OK;
}

static int table_insert(struct range *range)
{
    const struct table *now = atomic_load(&current);
    size_t at = table_find(now, range->start);

    if (at < now->count && now->ranges[at]->start < range->end) return BYRE_EEXIST;
    int error = spare_reserve(now->count + 1);
    if (error) return error;
    memcpy(spare->ranges, now->ranges, at * sizeof(struct range *));
    spare->ranges[at] = range;
    memcpy(spare->ranges + at + 1, now->ranges + at, (now->count - at) * sizeof(struct range *));
    spare->count = now->count + 1;
    table_publish();
    return BYRE_OK;
}

/* Needs no memory: the spare was current before the last insertion, or held more than now. */
static void table_remove(size_t at)
{
    const struct table *now = atomic_load(&current);
    size_t count = now->count - 1;

    BYRE__ASSERT(spare->room >= count);
    memcpy(spare->ranges, now->ranges, at * sizeof(struct range *));
    memcpy(spare->ranges + at, now->ranges + at + 1, (count - at) * sizeof(struct range *));
    spare->count = count;
    atomic_fetch_add(&removals, 1u); /* before the range is gone: F6 */
    table_publish();
}

int byre__fault_register(void *addr, size_t bytes, byre__fault_fn fn, void *arg)
{
    uintptr_t start = (uintptr_t)addr;

    if (!fn || bytes == 0 || start + bytes < start) return BYRE_EINVAL;
    struct range *range = calloc(1, sizeof *range);
    if (!range) return BYRE_ENOMEM;
    range->start = start;
    range->end = start + bytes;
    range->fn = fn;
    range->arg = arg;

    writers_enter();
    int error = table_insert(range);
    writers_leave();
    if (error) free(range);
    return error;
}

int byre__fault_unregister(void *addr)
{
    struct range *range = NULL;

    writers_enter();
    const struct table *now = atomic_load(&current);
    size_t at = table_find(now, (uintptr_t)addr);
    if (at < now->count && now->ranges[at]->start == (uintptr_t)addr) {
        range = now->ranges[at];
        table_remove(at);
    }
    writers_leave();

    if (!range) return BYRE_ENOTFOUND;
    for (unsigned turn = 0; atomic_load(&range->running) != 0; turn++)
        byre__raw_pause(turn); /* F3 */
    free(range);
    return BYRE_OK;
}

/* ---- those who had the signal before ---------------------------------------------------------- */

static struct owned {
    int number;
    bool taken;              /* our handler is in place, or below a handler that came later */
    _Atomic bool spent;      /* the earlier handler had SA_RESETHAND and has been called */
    struct sigaction before; /* written before our handler is in place */
} owned_signals[] = { { .number = SIGSEGV }, { .number = SIGBUS } };

enum { OWNED = sizeof owned_signals / sizeof owned_signals[0] };

static struct owned *owned_find(int number)
{
    return &owned_signals[number == SIGBUS];
}

/* Did the thread cause this signal itself, here and now, so that the access would fault again? */
static bool is_own_fault(int number, const siginfo_t *info)
{
    if (info->si_code <= 0) return false; /* kill, sigqueue, tgkill */
#ifdef SEGV_MTEAERR
    if (number == SIGSEGV && info->si_code == SEGV_MTEAERR) return false;
#endif
    return !(number == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

/* Die as if nobody had ever handled the signal: with the right core, registers and siginfo. */
static void die_by_default(int number, siginfo_t *info)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t set;

    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    if (is_own_fault(number, info)) return; /* the access, repeated, kills */

    /* Nothing will repeat it: queue it again; it is delivered when this handler returns. */
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, info);
}

/* The mask that the kernel would have set for this handler. */
static void set_mask_for(const struct sigaction *action, int number, const ucontext_t *uc)
{
    sigset_t mask;

    /* The kernel fills 64 bits of uc_sigmask and no more. */
    sigemptyset(&mask);
    memcpy(&mask, &uc->uc_sigmask, _NSIG / 8);
    sigorset(&mask, &mask, &action->sa_mask);
    if (!(action->sa_flags & SA_NODEFER)) sigaddset(&mask, number);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

/* F5. Returning from here restores the interrupted thread's own mask. */
static void pass_on(int number, siginfo_t *info, ucontext_t *uc)
{
    struct owned *owned = owned_find(number);
    const struct sigaction *before = &owned->before;
    bool spent = atomic_load(&owned->spent);

    if (!spent && before->sa_handler == SIG_IGN && !is_own_fault(number, info)) return;
    /* The kernel does not let a thread ignore its own fault either. */
    if (spent || before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
        die_by_default(number, info);
        return;
    }
    if (before->sa_flags & (int)SA_RESETHAND) atomic_store(&owned->spent, true);
    set_mask_for(before, number, uc);
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(number, info, uc);
    else
        before->sa_handler(number);
}

/* ---- the handler ------------------------------------------------------------------------------ */

static bool is_stale(void)
{
    uint64_t now = atomic_load(&removals); /* after the look-up: F6 */

    if (now == removals_seen) return false;
    removals_seen = now;
    return true;
}

/* Is it an access that somebody here may have prevented? */
static bool is_access(int number, const siginfo_t *info)
{
    if (number == SIGBUS) return info->si_code == BUS_ADRERR;
    return info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR;
}

/* True: repeat the access. */
static bool claim(const siginfo_t *info, ucontext_t *uc)
{
    struct range *range = range_enter((uintptr_t)info->si_addr);

    if (!range) return is_stale();
    const byre__fault_t fault = {
        .addr = (uintptr_t)info->si_addr,
        .write = byre__arch_is_write(uc),
        .in_runtime = byre__inside > 0,
        .ucontext = uc,
        .range = range,
    };
    bool resolved = range->fn(&fault, range->arg);
    range_leave(range);
    return resolved;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    int saved = errno; /* F7 */

    if (!is_access(number, info) || !claim(info, context)) {
        errno = saved;
        pass_on(number, info, context);
    }
    errno = saved;
}

/* ---- taking the signals, and giving them back ------------------------------------------------- */

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

static int take(struct owned *owned)
{
    static const int thread_caused[] = {
        SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT
    };
    struct sigaction ours = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    if (owned->taken) return BYRE_OK;
    if (sigaction(owned->number, NULL, &owned->before)) return BYRE_ESYSTEM;
    sigfillset(&ours.sa_mask); /* F4 */
    for (size_t i = 0; i < sizeof thread_caused / sizeof thread_caused[0]; i++)
        sigdelset(&ours.sa_mask, thread_caused[i]);
    ours.sa_flags |= SA_NODEFER;
    /* An ignored signal interrupts no system call. */
    if (owned->before.sa_handler == SIG_IGN || (owned->before.sa_flags & SA_RESTART))
        ours.sa_flags |= SA_RESTART;
    atomic_store(&owned->spent, false);
    if (sigaction(owned->number, &ours, NULL)) return BYRE_ESYSTEM;
    owned->taken = true;
    return BYRE_OK;
}

/* A handler that was installed over ours calls us: then ours stays, and only passes on. */
static void give_back(struct owned *owned)
{
    struct sigaction now;

    if (!owned->taken || sigaction(owned->number, NULL, &now) || !is_ours(&now)) return;
    if (atomic_load(&owned->spent)) owned->before.sa_handler = SIG_DFL;
    sigaction(owned->number, &owned->before, NULL);
    owned->taken = false;
}

int byre__fault_init(void)
{
    for (int i = 0; i < OWNED; i++) {
        int error = take(&owned_signals[i]);
        if (error) {
            byre__fault_fini();
            return error;
        }
    }
    return BYRE_OK;
}

void byre__fault_fini(void)
{
    for (int i = OWNED; i-- > 0;) give_back(&owned_signals[i]);
}
