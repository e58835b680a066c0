/* SPDX-License-Identifier: BSD-3-Clause */
/* coherence.pml: the coherence protocol of docs/dsm.md, for the model checker Spin. `check' runs it.
 *
 * Invariants, numbered as in docs/dsm.md, and where they are asserted:
 *   1. at most one rank may write a unit, and then no other may read it        look, touch
 *   2. a reader sees the last value written                                    look, touch
 *   3. transactions are serialised, requests wait in order                     begin_read, begin_write
 *   4. bounded messages; no deadlock, no livelock                              complete, Quiet, `check'
 *
 * What is modelled: every rank has for each unit a thread that reads and writes, may prefetch (WISHES) and
 * may give up copies. Wires are first in, first out for each ordered
 * pair of ranks. The handlers of a rank run one at a time and to their end, and what a rank sends to itself
 * is handled at once: a d_step each. Bytes are a version number modulo VERSIONS. A holder may put off what
 * takes its access away for any finite time: hold time, pin and freezing are all that.
 *
 * What is not: runs of units; the death of a rank; a second request of a rank for a unit while one is under
 * way (who needs it waits for the answer to the first).
 *
 * Configuration, by -D:
 *   RANKS UNITS            how many; unit u has its manager (its first owner if DYNAMIC) on rank u
 *   DYNAMIC                the owner is the manager; else it is fixed
 *   MIGRATE                every request is a write
 *   WISHES                 ranks also prefetch: a request that is refused when it cannot be served at once
 *   KEEP                   no rank gives up copies of its own accord
 *   OPS                    misses a thread may have; 0: no limit
 *   FORWARDS               DYNAMIC: how often a REQUEST may be sent until it is served; 4 for 3 ranks
 *   BOTH                   instructions that need two units at once, see Instruction
 *   FAIR                   the rank whose thread must get what it waits for, under weak fairness
 *   BROKEN_x               a mistake that must be found, see `check'
 */

#ifndef RANKS
#define RANKS 3
#endif
#ifndef UNITS
#define UNITS 1
#endif
#ifndef OPS
#define OPS 0
#endif
#ifndef VERSIONS
#define VERSIONS 2
#endif
#ifndef FORWARDS
#define FORWARDS 4
#endif
#ifndef WIRE
#define WIRE (4 * UNITS) /* most messages on a wire: asserted in send */
#endif

#define at(u, r) ((u) * RANKS + (r))
#define bit(r) (1 << (r))
#define without(set, r) ((set) & ~bit(r))
#define has(set, r) (((set) >> (r)) & 1)
#define manager(u) (u)
#define size(set) (has(set, 0) + has(set, 1) + has(set, 2) + has(set, 3))

/* Access, and what a request asks for. */
#define NONE 0
#define READ 1
#define WRITE 2
/* A request also says: */
#define COPY 4 /* the requester has a copy, and keeps it until it is answered */
#define WISH 8 /* refuse it if it cannot be served at once */
/* FORWARD, DATA and GRANT: no CONFIRM is awaited, DSM_CLOSED. */
#define CLOSED 16
#define kind_of(what) ((what) & 3)

mtype = { REQUEST, FORWARD, INVALIDATE, DATA, GRANT, ACK, CONFIRM, REFUSE };

/* { message, unit, requester, what, ranks that will send an ACK, version } */
chan wire[RANKS * RANKS] = [WIRE] of { mtype, byte, byte, byte, byte, byte };

/* What a rank knows of a unit: at(unit, rank). */
byte access[UNITS * RANKS];
byte value[UNITS * RANKS];
bit owns[UNITS * RANKS];      /* has what was written last; must keep it */
byte pending[UNITS * RANKS];  /* the request under way: NONE, READ, WRITE */
bit come[UNITS * RANKS];      /* for it, DATA or GRANT has come */
byte acks[UNITS * RANKS];     /* for it, whose ACK is missing, or has come too early */
bit due[UNITS * RANKS];       /* the thread that waited has not had its access yet */
chan put_off[UNITS * RANKS] = [RANKS] of { mtype, byte, byte, byte }; /* see holder_forward */

/* What a manager knows; DYNAMIC: what an owner knows. */
byte owner[UNITS * RANKS]; /* of the unit; DYNAMIC: the probable one, on every rank */
byte copyset[UNITS * RANKS];
byte reading[UNITS * RANKS]; /* requesters of reads under way */
bit writing[UNITS * RANKS];  /* a write is under way */
chan queue[UNITS * RANKS] = [RANKS] of { byte, byte, byte }; /* { requester, READ or WRITE, COPY or 0 } */

/* The thread of a rank that touches the unit. */
byte want[UNITS * RANKS];
#if OPS
byte ops[UNITS * RANKS] = OPS;
#endif

/* Ghosts: no rank knows them. */
byte latest[UNITS];         /* the version written last */
byte now_reading[UNITS];    /* requesters between served and satisfied, or closed */
byte now_writing[UNITS];
byte sent[UNITS * RANKS];   /* messages sent for the request under way */
byte acking[UNITS * RANKS]; /* how many ranks lose a copy for it */

/* Scratch of one d_step. */
hidden byte n, writers, readers, k, source, from;
hidden byte q_who, q_what, q_copy, h_who, h_what, h_copy, p_who, p_what, p_ranks;
hidden mtype p_message, m_message;
hidden byte m_unit, m_who, m_what, m_ranks, m_value;
/* What has come, 0: the rank itself asks. It is chosen outside of the d_step, which uses a copy. */
hidden mtype c_message;
hidden byte c_unit, c_who, c_what, c_ranks, c_value;
/* What a rank that serves from its own copy puts off in this step: nothing, writes, all. */
hidden byte later;

/* ---- assertions --------------------------------------------------------------------------- */

/* Invariants 1 and 2 in every state: whoever has access has the last version. */
inline look(u)
{
    writers = 0;
    readers = 0;
    for (n : 0 .. RANKS - 1) {
        if
        :: access[at(u, n)] == WRITE -> writers++
        :: access[at(u, n)] == READ -> readers++
        :: else
        fi;
        assert(access[at(u, n)] == NONE || value[at(u, n)] == latest[u])
    }
    assert(writers == 0 || (writers == 1 && readers == 0))
}

/* Invariant 3. */
inline begin_read(u, who)
{
    assert(now_writing[u] == 0 && !has(now_reading[u], who));
    now_reading[u] = now_reading[u] | bit(who)
}

inline begin_write(u, who)
{
    assert(now_writing[u] == 0 && now_reading[u] == 0);
    now_writing[u] = bit(who)
}

inline over(u, who)
{
    now_reading[u] = without(now_reading[u], who);
    now_writing[u] = without(now_writing[u], who)
}

/* ---- messages ----------------------------------------------------------------------------- */

/* What a rank sends to itself is no message, and is taken in the same step: see deliver. */
inline send(src, dst, message, u, who, what, ranks, version)
{
    printf("%d -> %d: %e unit %d for %d, what %d, ", src, dst, message, u, who, what);
    printf("acks %d, version %d\n", ranks, version);
    assert(len(wire[(src) * RANKS + (dst)]) < WIRE);
    wire[(src) * RANKS + (dst)]!message, u, who, what, ranks, version;
    if
    :: src != dst && message != CONFIRM && message != REFUSE -> sent[at(u, who)]++
    :: else
    fi
}

/* ---- the requester (fault.c, request.c) --------------------------------------------------- */

#ifdef DYNAMIC
#define asked(r, u) owner[at(u, r)]
#else
#define asked(r, u) manager(u)
#endif

/* byre__dsm_request: byre__dsm_await on the thread's behalf, or a prefetch, asks. COPY is a promise to keep
 * it. */
inline request(r, u, what)
{
    printf("%d asks for unit %d: %d\n", r, u, what);
    assert(pending[at(u, r)] == NONE);
    pending[at(u, r)] = kind_of(what);
    send(r, asked(r, u), REQUEST, u, r, (what | (access[at(u, r)] == READ -> COPY : 0)), 0, 0)
}

#if defined(BROKEN_CLOSED_ACKS) || defined(BROKEN_CLOSED_FORWARD)
#define messages(closed, k) (3 + 2 * (k)) /* other assertions shall fail */
#else
#define messages(closed, k) (closed -> 2 : 3 + 2 * (k))
#endif

/* complete: the request is satisfied. Invariant 4: REQUEST, FORWARD, DATA, and for each copy that goes an
 * INVALIDATE and an ACK. What is closed takes two in all, a REQUEST and its answer: no CONFIRM follows.
 * DYNAMIC: as many REQUESTs as it took to find the owner, no FORWARD. */
inline complete(r, u, closed)
{
    printf("%d has unit %d: %d\n", r, u, pending[at(u, r)]);
#ifdef DYNAMIC
    assert(sent[at(u, r)] <= FORWARDS + 1 + 2 * acking[at(u, r)]);
#else
    assert(sent[at(u, r)] <= messages(closed, acking[at(u, r)]));
#endif
    sent[at(u, r)] = 0;
    acking[at(u, r)] = 0;
    over(u, r);
    access[at(u, r)] = pending[at(u, r)];
    due[at(u, r)] = (want[at(u, r)] != NONE && want[at(u, r)] <= pending[at(u, r)]);
    pending[at(u, r)] = NONE;
    come[at(u, r)] = 0
}

/* byre__dsm_manager_inherit, byre__dsm_manager_settle: DYNAMIC, a rank becomes the owner. */
inline manager_inherit(r, u)
{
    owns[at(u, r)] = 1;
    owner[at(u, r)] = r;
    writing[at(u, r)] = 1; /* until it is complete */
    copyset[at(u, r)] = bit(r)
}

inline manager_settle(r, u)
{
    writing[at(u, r)] = 0;
    reading[at(u, r)] = 0
}

inline write_complete(r, u, closed)
{
    complete(r, u, closed);
#ifdef DYNAMIC
    manager_settle(r, u)
#else
    owns[at(u, r)] = 1;
    if
    :: !(closed) -> send(r, manager(u), CONFIRM, u, r, WRITE, 0, 0)
    :: else
    fi
#endif
}

/* complete_writes: when DATA or GRANT and all ACKs have come. */
inline complete_writes(r, u)
{
    if
    :: come[at(u, r)] && acks[at(u, r)] == 0 -> write_complete(r, u, false)
    :: else
    fi
}

/* byre__dsm_requester_data: DATA or GRANT has come. A GRANT to read is that of a unit nobody ever touched. */
inline holder_data(r, from, message, u, what, ranks, version)
{
    assert(pending[at(u, r)] == kind_of(what) && !come[at(u, r)]);
    assert(message == GRANT || access[at(u, r)] == NONE);
    if
    :: message == DATA -> value[at(u, r)] = version
    :: else
    fi;
    acking[at(u, r)] = size(ranks);
#ifdef DYNAMIC
    if
    :: kind_of(what) == WRITE || message == GRANT -> manager_inherit(r, u)
    :: else -> owner[at(u, r)] = from
    fi;
#endif
    if
    :: kind_of(what) == READ ->
        complete(r, u, what & CLOSED);
#ifdef DYNAMIC
        if
        :: message == GRANT -> manager_settle(r, u)
        :: message == DATA && !(what & CLOSED) -> send(r, from, CONFIRM, u, r, READ, 0, 0)
        :: else
        fi
#else
        owns[at(u, r)] = (message == GRANT);
        if
        :: !(what & CLOSED) -> send(r, manager(u), CONFIRM, u, r, READ, 0, 0)
        :: else
        fi
#endif
    :: kind_of(what) == WRITE && (what & CLOSED) -> write_complete(r, u, true)
    :: else ->
        come[at(u, r)] = 1;
        acks[at(u, r)] = acks[at(u, r)] ^ ranks;
        complete_writes(r, u)
    fi
}

/* byre__dsm_requester_ack. Each rank is set once by what names it and once by its ACK, whichever comes first. */
inline holder_ack(r, from, u)
{
    assert(pending[at(u, r)] == WRITE && (!come[at(u, r)] || has(acks[at(u, r)], from)));
    acks[at(u, r)] = acks[at(u, r)] ^ bit(from);
    complete_writes(r, u)
}

/* byre__dsm_refused: it was only a wish. DYNAMIC: who was queued here meanwhile is sent on. */
inline refused(r, u)
{
    assert(pending[at(u, r)] != NONE && !come[at(u, r)]);
    pending[at(u, r)] = NONE;
    sent[at(u, r)] = 0;
#if defined(DYNAMIC) && !defined(BROKEN_LEFT_QUEUE)
    if /* byre__dsm_manager_forgo */
    :: !owns[at(u, r)] -> pass_on(r, u)
    :: else
    fi
#endif
}

/* ---- the dynamic manager (manager_dynamic.c) ---------------------------------------------- */

/* dynamic_forward: by who is not the owner. The requester of a write will be. */
inline dynamic_forward(r, u, who, what)
{
    assert(who != owner[at(u, r)] && (who != r || pending[at(u, r)] != NONE));
    send(r, owner[at(u, r)], REQUEST, u, who, what, 0, 0);
    if
    :: kind_of(what) == WRITE && who != r -> owner[at(u, r)] = who
    :: else
    fi
}

/* pass_on: what is queued here goes to the owner, as far as is known: perhaps one who was queued. */
inline pass_on(r, u)
{
    do
    :: queue[at(u, r)]?[_, _, _] ->
        queue[at(u, r)]?h_who, h_what, h_copy;
        dynamic_forward(r, u, h_who, h_what | h_copy)
    :: else -> break
    od
}

/* byre__dsm_manager_hand_over */
inline manager_hand_over(r, u, who)
{
    owner[at(u, r)] = who;
    owns[at(u, r)] = 0;
    writing[at(u, r)] = 0;
    copyset[at(u, r)] = 0;
    reading[at(u, r)] = 0;
    pass_on(r, u)
}

/* ---- the holder (holder.c) ---------------------------------------------------------------- */

/* What puts things off: the thread that waited comes first. A thread that waits for another access to the
 * unit is no reason: it would wait for itself. */
#ifdef BROKEN_WAITS
#define may_take(r, u) (want[at(u, r)] == NONE)
#else
#define may_take(r, u) (!due[at(u, r)])
#endif

inline drop(r, u)
{
    access[at(u, r)] = NONE;
    value[at(u, r)] = 0;
    owns[at(u, r)] = 0
}

/* The inner part of holder_forward. What is closed is over when it is sent. */
inline give(r, u, who, what, ranks)
{
    printf("%d gives unit %d to %d\n", r, u, who);
    if
    :: (what & CLOSED) -> over(u, who)
    :: else
    fi;
    send(r, who, DATA, u, who, what, ranks, value[at(u, r)]);
    if
    :: kind_of(what) == READ -> access[at(u, r)] = READ
    :: else ->
        drop(r, u);
#ifdef DYNAMIC
        manager_hand_over(r, u, who)
#endif
    fi
}

/* byre__dsm_manager_open: it is in flight, and its CONFIRM awaited. */
inline manager_open(m, u, who, what)
{
    if
    :: kind_of(what) == WRITE -> writing[at(u, m)] = 1
    :: else -> reading[at(u, m)] = reading[at(u, m)] | bit(who)
    fi
}

/* byre__dsm_holder_forward, defer: at the owner, or the manager, who has a copy. To read what it only reads
 * itself takes nothing away. At another rank than the manager it makes no difference whether it is put off
 * and taken, or not put off. */
inline holder_forward(r, u, who, what, ranks)
{
    assert(access[at(u, r)] != NONE);
    if
    :: len(put_off[at(u, r)]) == 0 && ((kind_of(what) == READ && access[at(u, r)] == READ) ||
            ((what & CLOSED) && may_take(r, u) && later + kind_of(what) < 3)) ->
        give(r, u, who, what, ranks)
    :: else ->
        if
        :: (what & CLOSED) ->
#ifdef BROKEN_UNOPENED
            over(u, who)
#else
            manager_open(r, u, who, what)
#endif
        :: else
        fi;
#ifdef BROKEN_UNOPENED
        put_off[at(u, r)]!FORWARD, who, what, ranks
#else
        put_off[at(u, r)]!FORWARD, who, kind_of(what), ranks
#endif
    fi
}

/* byre__dsm_holder_invalidate: at a rank that may have a copy. */
inline holder_invalidate(r, u, who)
{
#ifdef BROKEN_EARLY_ACK
    send(r, who, ACK, u, who, WRITE, 0, 0);
#endif
    if
    :: access[at(u, r)] != NONE -> put_off[at(u, r)]!INVALIDATE, who, WRITE, 0
    :: else ->
#ifndef BROKEN_EARLY_ACK
        send(r, who, ACK, u, who, WRITE, 0, 0);
#endif
#ifdef DYNAMIC
        owner[at(u, r)] = who
#else
        skip
#endif
    fi
}

/* holder_deferred: at any time after the arrival, at once too, but not before the thread that waited. */
inline holder_deferred(r, u)
{
    put_off[at(u, r)]?p_message, p_who, p_what, p_ranks;
    if
    :: p_message == INVALIDATE ->
        printf("%d gives unit %d up\n", r, u);
        drop(r, u);
#ifdef DYNAMIC
        owner[at(u, r)] = p_who;
#endif
#ifndef BROKEN_EARLY_ACK
        send(r, p_who, ACK, u, p_who, WRITE, 0, 0)
#else
        skip
#endif
    :: else -> give(r, u, p_who, p_what, p_ranks)
    fi
}

/* ---- the manager (manager.c) -------------------------------------------------------------- */

inline invalidate(m, u, who, ranks)
{
    for (n : 0 .. RANKS - 1) {
        if
        :: has(ranks, n) -> send(m, n, INVALIDATE, u, who, WRITE, 0, 0)
        :: else
        fi
    }
}

/* decide: whether a request can be served now. Invariant 3: a write is alone. */
#ifdef BROKEN_UNCONFIRMED
#define servable(m, u, who, what) (!writing[at(u, m)])
#else
#define servable(m, u, who, what) \
    (!writing[at(u, m)] && (kind_of(what) == READ || reading[at(u, m)] == 0) && !has(reading[at(u, m)], who))
#endif

/* may_serve: a read, from a copy that is not about to be lost. */
#define may_serve(m, u) (access[at(u, m)] >= READ && len(put_off[at(u, m)]) == 0 && has(copyset[at(u, m)], m))

/* decide: does a writer need no bytes? It is the owner, or both say so: the copyset, because the copy may
 * have been invalidated since the request was sent, and the request, because the copy may have been given
 * up before. */
#ifdef BROKEN_COPYSET_ONLY
#define has_copy(m, u, who, copy) (has(copyset[at(u, m)], who))
#elif defined(BROKEN_COPY_ONLY)
#define has_copy(m, u, who, copy) (copy)
#else
#define has_copy(m, u, who, copy) (owner[at(u, m)] == who || (has(copyset[at(u, m)], who) && copy))
#endif

/* is_closed: what the manager serves by itself, and nobody need acknowledge. DYNAMIC: a write hands the unit
 * over, which is more. */
#ifdef DYNAMIC
#define closed_write(own, ranks) 0
#elif defined(BROKEN_CLOSED_ACKS)
#define closed_write(own, ranks) ((own) -> CLOSED : 0)
#else
#define closed_write(own, ranks) ((own) && (ranks) == 0 -> CLOSED : 0)
#endif
#ifdef BROKEN_CLOSED_FORWARD
#define closed_read(own) CLOSED
#else
#define closed_read(own) ((own) -> CLOSED : 0)
#endif

/* serve_zero: nobody has touched it. */
inline serve_zero(m, u, who, what)
{
    owner[at(u, m)] = who;
    copyset[at(u, m)] = bit(who);
#ifdef DYNAMIC
    send(m, who, GRANT, u, who, what, 0, 0);
    if
    :: who != m -> manager_hand_over(m, u, who)
    :: else
    fi
#else
    over(u, who);
    send(m, who, GRANT, u, who, what | CLOSED, 0, 0)
#endif
}

inline serve_read(m, u, who)
{
    source = (may_serve(m, u) -> m : owner[at(u, m)]);
    assert(source != who);
    copyset[at(u, m)] = copyset[at(u, m)] | bit(who);
    if
    :: source == m -> holder_forward(m, u, who, READ | CLOSED, 0)
    :: else ->
#ifdef BROKEN_CLOSED_FORWARD
        over(u, who);
        send(m, source, FORWARD, u, who, READ | CLOSED, 0, 0)
#else
        manager_open(m, u, who, READ);
        send(m, source, FORWARD, u, who, READ, 0, 0)
#endif
    fi
}

inline serve_write(m, u, who, copy)
{
    k = without(copyset[at(u, m)], who);
    source = (has_copy(m, u, who, copy) -> RANKS : owner[at(u, m)]);
    assert(source != who);
    if
    :: source != RANKS -> k = without(k, source)
    :: else
    fi;
#ifdef BROKEN_NO_INVALIDATE
    k = 0;
#endif
    h_what = WRITE | closed_write(source == RANKS || source == m, k);
#ifndef DYNAMIC
    owner[at(u, m)] = who;
    copyset[at(u, m)] = bit(who);
#endif
    if
    :: !(h_what & CLOSED) -> manager_open(m, u, who, WRITE)
    :: else
    fi;
    invalidate(m, u, who, k);
    if
    :: source == RANKS ->
        if
        :: (h_what & CLOSED) -> over(u, who)
        :: else
        fi;
        send(m, who, GRANT, u, who, h_what, k, 0);
#ifdef DYNAMIC
        if
        :: who != m -> manager_hand_over(m, u, who)
        :: else
        fi
#endif
    :: source == m -> holder_forward(m, u, who, h_what, k)
    :: else -> send(m, source, FORWARD, u, who, h_what, k, 0)
    fi
}

#ifdef DYNAMIC
#define is_manager(m, u) owns[at(u, m)]
#else
#define is_manager(m, u) ((m) == manager(u))
#endif

#define has_queue(m, u) (is_manager(m, u) && len(queue[at(u, m)]) > 0)

/* byre__dsm_manager_serve_queue, one turn: the head of the queue, if it can be served. Invariant 3: nothing
 * passes. */
inline serve_next(m, u)
{
    queue[at(u, m)]?<q_who, q_what, q_copy>;
    if
    :: servable(m, u, q_who, q_what) ->
        queue[at(u, m)]?q_who, q_what, q_copy;
        printf("%d serves %d: unit %d, what %d\n", m, q_who, u, q_what);
        if
        :: q_what == READ -> begin_read(u, q_who)
        :: else -> begin_write(u, q_who)
        fi;
        if
        :: copyset[at(u, m)] == 0 -> serve_zero(m, u, q_who, q_what)
        :: copyset[at(u, m)] != 0 && q_what == READ -> serve_read(m, u, q_who)
        :: else -> serve_write(m, u, q_who, q_copy)
        fi
    :: else -> break
    fi
}

/* byre__dsm_manager_confirm */
inline manager_confirm(m, u, who, what)
{
    if
    :: what == WRITE -> writing[at(u, m)] = 0
    :: else -> reading[at(u, m)] = without(reading[at(u, m)], who)
    fi
}

/* byre__dsm_manager_request. What can be served is served by serve_next, in the same step. */
#define is_free(m, u, who, what) \
    (is_manager(m, u) && len(queue[at(u, m)]) == 0 && servable(m, u, who, what))

inline manager_request(m, u, who, what)
{
    if
#ifdef BROKEN_WISH_PASSED
    :: (what & WISH) && !owns[at(u, m)] && pending[at(u, m)] != WRITE ->
        assert(who != m);
        dynamic_forward(m, u, who, what)
    :: (what & WISH) && (owns[at(u, m)] || pending[at(u, m)] == WRITE) && !is_free(m, u, who, what) ->
#else
    :: (what & WISH) && !is_free(m, u, who, what) ->
#endif
        send(m, who, REFUSE, u, who, what, 0, 0)
#ifdef DYNAMIC
#ifdef BROKEN_NO_QUEUE
    :: !(what & WISH) && !owns[at(u, m)] -> /* not_the_owner */
#else
    :: !(what & WISH) && !owns[at(u, m)] && pending[at(u, m)] != WRITE -> /* not_the_owner */
#endif
        assert(who != m);
        dynamic_forward(m, u, who, what)
#endif
    :: else -> queue[at(u, m)]!who, kind_of(what), what & COPY
    fi
}

/* ---- processes ---------------------------------------------------------------------------- */

/* Only what is served can be put off by who serves it. */
#define may_put_off(me) (c_message == REQUEST || c_message == 0 || len(queue[at(c_unit, me)]) > 0)

#define own(r) wire[(r) * RANKS + (r)]

/* deliver: a message, if there is one, and what the rank says to itself about it. */
inline deliver(me, peer)
{
    do
    :: m_message == REQUEST ->
        m_message = 0;
        manager_request(me, m_unit, m_who, m_what)
    :: m_message == CONFIRM ->
        m_message = 0;
        manager_confirm(me, m_unit, m_who, m_what)
    :: m_message == INVALIDATE ->
        m_message = 0;
        holder_invalidate(me, m_unit, m_who)
    :: m_message == DATA || m_message == GRANT ->
        p_message = m_message;
        m_message = 0;
        holder_data(me, from, p_message, m_unit, m_what, m_ranks, m_value)
    :: m_message == ACK ->
        m_message = 0;
        holder_ack(me, peer, m_unit)
#ifndef DYNAMIC
    :: m_message == FORWARD ->
        m_message = 0;
        holder_forward(me, m_unit, m_who, m_what, m_ranks)
#endif
#ifdef WISHES
    :: m_message == REFUSE ->
        m_message = 0;
        refused(me, m_unit)
#endif
    :: m_message == 0 && len(own(me)) > 0 ->
        from = me;
        own(me)?m_message, m_unit, m_who, m_what, m_ranks, m_value
    :: m_message == 0 && len(own(me)) == 0 && has_queue(me, m_unit) -> serve_next(me, m_unit)
    :: m_message == 0 && len(own(me)) == 0 && !has_queue(me, m_unit) -> break
    od
}

/* What a thread may read it reads all the time, and that changes nothing: see look. */
#ifdef MIGRATE
#define ask(what) WRITE
#else
#define ask(what) what
#endif

#if OPS
#define may_miss(r, u) (ops[at(u, r)] > 0)
#define missed(r, u) ops[at(u, r)]--
#else
#define may_miss(r, u) true
#define missed(r, u) skip
#endif

/* A thread that waits asks itself: a wish in its place could be refused for ever. */
#define may_wish(r, u) \
    (may_miss(r, u) && want[at(u, r)] == NONE && pending[at(u, r)] == NONE && !owns[at(u, r)])

/* The engine of rank `me' takes messages of rank `peer'. A process for each, so that weak fairness
 * leaves no wire out. And one for each unit that asks for it: peer == me. */
proctype Engine(byte peer, me, u)
{
end:
    do
    :: atomic {
        if
        :: wire[peer * RANKS + me]?c_message, c_unit, c_who, c_what, c_ranks, c_value
        :: peer == me && access[at(u, me)] < want[at(u, me)] && pending[at(u, me)] == NONE ->
            c_message = 0;
            c_unit = u;
            c_what = want[at(u, me)]
#ifdef WISHES
        :: peer == me && may_wish(me, u) && access[at(u, me)] == NONE ->
            missed(me, u);
            c_message = 0;
            c_unit = u;
            c_what = ask(READ) | WISH
        :: peer == me && may_wish(me, u) && access[at(u, me)] != WRITE ->
            missed(me, u);
            c_message = 0;
            c_unit = u;
            c_what = WRITE | WISH
#endif
        fi;
        if
        :: later = 0
#ifndef DYNAMIC
        :: may_put_off(me) -> later = 1
#endif
        :: may_put_off(me) -> later = 2
        fi;
        d_step {
            from = peer;
            m_message = c_message;
            m_unit = c_unit;
            m_who = c_who;
            m_what = c_what;
            m_ranks = c_ranks;
            m_value = c_value;
            if
            :: m_message == 0 -> request(me, m_unit, m_what)
            :: else
            fi;
            deliver(me, peer);
            look(m_unit)
        }
    }
    od
}

/* holder_deferred: what a rank has put off. */
proctype Deferred(byte r, u)
{
end:
    do
    :: d_step {
        len(put_off[at(u, r)]) > 0 && may_take(r, u) ->
        holder_deferred(r, u);
        look(u)
    }
    od
}

/* The access itself. Invariants 1 and 2. */
inline touch(r, u, what)
{
    printf("%d touches unit %d: %d\n", r, u, what);
    assert(access[at(u, r)] >= what && value[at(u, r)] == latest[u]);
    look(u);
    if
    :: what == WRITE ->
        /* Bytes of different units never meet: those of unit 0 are enough. */
        latest[u] = (u == 0 -> (latest[u] + 1) % VERSIONS : 0);
        value[at(u, r)] = latest[u]
    :: else
    fi
}

#ifdef BROKEN_GIVE_UP
#define may_give_up(r, u) (access[at(u, r)] == READ && !owns[at(u, r)] && !due[at(u, r)])
#else
#define may_give_up(r, u) \
    (access[at(u, r)] == READ && !owns[at(u, r)] && !due[at(u, r)] && pending[at(u, r)] == NONE)
#endif

/* byre__dsm_fault_resolve: from a miss until the access. The unit stays until then (due). Engine asks. */
proctype Thread(byte r, u)
{
end:
    do
    :: d_step {
        may_miss(r, u) && access[at(u, r)] == NONE ->
        missed(r, u);
        want[at(u, r)] = ask(READ)
    }
        goto miss
    :: d_step {
        may_miss(r, u) && access[at(u, r)] != WRITE ->
        missed(r, u);
        want[at(u, r)] = WRITE
    }
        goto miss
    :: d_step {
        may_miss(r, u) && access[at(u, r)] == WRITE ->
        missed(r, u);
        touch(r, u, WRITE)
    }
    od;
miss:
    do
#ifdef BROKEN_EARLY_RETURN
    :: d_step {
        due[at(u, r)] -> due[at(u, r)] = 0
    }
#endif
    :: d_step {
#ifdef BROKEN_EARLY_RETURN
        access[at(u, r)] >= want[at(u, r)] && !due[at(u, r)] ->
#else
        access[at(u, r)] >= want[at(u, r)] ->
#endif
        touch(r, u, want[at(u, r)]);
        want[at(u, r)] = NONE;
        due[at(u, r)] = 0
    }
        goto end
    od
}

#ifdef BOTH
/* Instead: a thread whose next instruction writes units 0 and 1 and needs both at once. It faults on either
 * that is missing. What may happen to the one it has meanwhile, BOTH says:
 *   1  it goes: the thread has had it
 *   2  it stays until the instruction is done
 *   3  it stays while the thread waits for a higher unit, and goes while it waits for a lower one */
#define asks(r, u) \
    access[at(u, r)] != WRITE && want[at(0, r)] == NONE && want[at(1, r)] == NONE && pending[at(u, r)] == NONE -> \
    due[at(1 - (u), r)] = (BOTH == 2 || (BOTH == 3 && (u) == 1) -> due[at(1 - (u), r)] : 0); \
    want[at(u, r)] = WRITE

proctype Instruction(byte r)
{
end:
    do
    :: d_step { asks(r, 0) }
    :: d_step { asks(r, 1) }
    :: d_step { want[at(0, r)] != NONE && due[at(0, r)] -> want[at(0, r)] = NONE }
    :: d_step { want[at(1, r)] != NONE && due[at(1, r)] -> want[at(1, r)] = NONE }
    :: d_step {
        access[at(0, r)] == WRITE && access[at(1, r)] == WRITE &&
                want[at(0, r)] == NONE && want[at(1, r)] == NONE ->
        touch(r, 0, WRITE);
        touch(r, 1, WRITE);
        due[at(0, r)] = 0;
        due[at(1, r)] = 0
    }
progress:
        skip
    od
}
#endif

/* A rank also gives up what it can do without. */
proctype Rest(byte r, u)
{
end:
    do
    :: d_step {
        may_give_up(r, u) ->
        access[at(u, r)] = NONE;
        value[at(u, r)] = 0
    }
    od
}

/* Invariant 4, no deadlock: when nothing moves any more, nobody waits. */
proctype Quiet()
{
    byte i;

end:
    timeout ->
    for (i : 0 .. UNITS * RANKS - 1) {
        assert(pending[i] == NONE && len(queue[i]) == 0 && len(put_off[i]) == 0 && !due[i] && acks[i] == 0);
        assert(reading[i] == 0 && !writing[i] && want[i] == NONE)
    }
}

init
{
    byte i, j;

    atomic {
        for (i : 0 .. RANKS - 1) {
            for (j : 0 .. RANKS - 1) {
                if
                :: i != j -> run Engine(i, j, 0)
                :: else
                fi
            }
            for (j : 0 .. UNITS - 1) {
                run Engine(i, i, j);
                run Deferred(i, j);
#ifdef DYNAMIC
                owner[at(j, i)] = manager(j);
                owns[at(j, i)] = (i == manager(j));
#endif
#ifndef BOTH
                run Thread(i, j);
#endif
#ifndef KEEP
                run Rest(i, j);
#endif
                skip
            }
#ifdef BOTH
            run Instruction(i)
#endif
        }
        run Quiet();
        i = 0;
        j = 0
    }
}

#ifdef FAIR
/* Invariant 4, no livelock: a thread that waits gets its access. */
ltl served { [] (want[at(0, FAIR)] != NONE -> <> (want[at(0, FAIR)] == NONE)) }
#endif
