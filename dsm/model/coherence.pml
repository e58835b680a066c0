/* SPDX-License-Identifier: BSD-3-Clause */
/* coherence.pml: the coherence protocol of docs/dsm.md, for the model checker Spin. `check' runs it.
 *
 * Invariants, numbered as in docs/dsm.md, and where they are asserted:
 *   1. at most one rank may write a unit, and then no other may read it        look, touch
 *   2. a reader sees the last value written                                    look, touch
 *   3. transactions are serialised, requests wait in order                     begin_read, begin_write
 *   4. bounded messages; no deadlock, no livelock                              completed, Quiet, `check'
 *
 * What is modelled: every rank has for each unit a thread that reads and writes, may prefetch (WISHES) and
 * may give up copies. Wires are first in, first out for each ordered
 * pair of ranks, a rank and itself included. The handlers of a rank run one at a time and to their end: a
 * d_step each. Bytes are a version number modulo VERSIONS. A holder may put off what takes its access away
 * for any finite time: hold time, pin and freezing are all that.
 *
 * What is not: the death of a rank; a second request of a rank for a unit while one is under way (who
 * needs it waits for the answer to the first).
 *
 * Configuration, by -D:
 *   RANKS UNITS            how many; unit u has its manager (its first owner if DYNAMIC) on rank u
 *   DYNAMIC                the owner is the manager; else it is fixed
 *   MIGRATE                every request is a write
 *   WISHES                 ranks also prefetch: a request that is refused when it cannot be served at once
 *   CLOSES                 what a manager serves by itself, and nobody acknowledges, is not confirmed. FIXED: what
 *                          its own thread makes it put off is; DYNAMIC: no read is
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
/* DATA and GRANT also say: */
#define CLOSED 16 /* no CONFIRM is awaited */
/* Not what a rank sends to itself: here that takes time, so that it is under way. */
#ifdef CLOSES
#define closing(m, who) ((who) != (m) -> CLOSED : 0)
#else
#define closing(m, who) 0
#endif
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
chan put_off[UNITS * RANKS] = [RANKS] of { mtype, byte, byte, byte }; /* see holder_forward, holder_invalidate */

/* What a manager knows; DYNAMIC: what an owner knows. */
byte owner[UNITS * RANKS]; /* of the unit; DYNAMIC: the probable one, on every rank */
byte copyset[UNITS * RANKS];
byte reading[UNITS * RANKS]; /* requesters of reads under way */
bit writing[UNITS * RANKS];  /* a write is under way; not used if DYNAMIC */
bit touched[UNITS * RANKS];
chan queue[UNITS * RANKS] = [RANKS] of { byte, byte, byte }; /* { requester, READ or WRITE, COPY or 0 } */

/* The thread of a rank that touches the unit. */
byte want[UNITS * RANKS];
#if OPS
byte ops[UNITS * RANKS] = OPS;
#endif

/* Ghosts: no rank knows them. */
byte latest[UNITS];         /* the version written last */
byte now_reading[UNITS];    /* requesters between served and satisfied */
byte now_writing[UNITS];
byte sent[UNITS * RANKS];   /* messages sent for the request under way */
byte acking[UNITS * RANKS]; /* how many ranks lose a copy for it */

/* Scratch of one d_step. */
hidden byte n, dest, writers, readers, k, q_who, q_what, q_copy, p_who, p_what, p_ranks;
hidden mtype p_message, m_message;
hidden byte m_unit, m_who, m_what, m_ranks, m_value;

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

/* ---- messages ----------------------------------------------------------------------------- */

/* What a rank sends to itself is no message, but waits its turn like one. */
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

/* ---- the requester (fault.c, holder.c) ---------------------------------------------------- */

/* request_begin: fault_resolve on the thread's behalf, or a prefetch, asks. COPY is a promise to keep it. */
inline request_begin(r, u, what)
{
    printf("%d asks for unit %d: %d\n", r, u, what);
    assert(pending[at(u, r)] == NONE);
    pending[at(u, r)] = kind_of(what);
#ifdef DYNAMIC
    if
    :: owns[at(u, r)] -> queue[at(u, r)]!r, kind_of(what), 0 /* its own turn */
    :: else -> send(r, owner[at(u, r)], REQUEST, u, r, (what | (access[at(u, r)] == READ -> COPY : 0)), 0, 0)
    fi
#else
    send(r, manager(u), REQUEST, u, r, (what | (access[at(u, r)] == READ -> COPY : 0)), 0, 0)
#endif
}

/* The request is satisfied. Invariant 4: REQUEST, FORWARD, DATA, and for each copy that goes an
 * INVALIDATE and an ACK. DYNAMIC: as many REQUESTs as it took to find the owner, no FORWARD. */
inline completed(r, u)
{
    printf("%d has unit %d: %d\n", r, u, pending[at(u, r)]);
#ifdef DYNAMIC
    assert(sent[at(u, r)] <= FORWARDS + 1 + 2 * acking[at(u, r)]);
#else
    assert(sent[at(u, r)] <= 3 + 2 * acking[at(u, r)]);
#endif
    sent[at(u, r)] = 0;
    acking[at(u, r)] = 0;
    now_reading[u] = without(now_reading[u], r);
    now_writing[u] = without(now_writing[u], r);
    access[at(u, r)] = pending[at(u, r)];
    due[at(u, r)] = (want[at(u, r)] != NONE && want[at(u, r)] <= pending[at(u, r)]);
    pending[at(u, r)] = NONE;
    come[at(u, r)] = 0
}

/* requester_data, requester_ack: a write is complete when DATA or GRANT and all ACKs have come. */
inline write_complete(r, u)
{
    if
    :: come[at(u, r)] && acks[at(u, r)] == 0 ->
        completed(r, u);
#ifdef DYNAMIC
        copyset[at(u, r)] = bit(r)
#else
        owns[at(u, r)] = 1;
        send(r, manager(u), CONFIRM, u, r, WRITE, 0, 0)
#endif
    :: else
    fi
}

/* requester_data: DATA or GRANT has come. A GRANT to read is that of a unit nobody ever touched. */
inline requester_data(r, from, message, u, what, ranks, version)
{
    assert(pending[at(u, r)] == kind_of(what) && !come[at(u, r)]);
    assert(message == GRANT || access[at(u, r)] == NONE);
    if
    :: message == DATA -> value[at(u, r)] = version
    :: else
    fi;
    come[at(u, r)] = 1;
    acking[at(u, r)] = size(ranks);
    acks[at(u, r)] = acks[at(u, r)] ^ ranks;
#ifdef DYNAMIC
    owns[at(u, r)] = (kind_of(what) == WRITE || message == GRANT);
    owner[at(u, r)] = (owns[at(u, r)] -> r : from);
#endif
    if
    :: kind_of(what) == READ ->
        completed(r, u);
#ifdef DYNAMIC
        if
        :: message == GRANT -> copyset[at(u, r)] = bit(r)
        :: message != GRANT && (what & CLOSED) -> skip
        :: else -> send(r, from, CONFIRM, u, r, READ, 0, 0)
        fi
#else
        owns[at(u, r)] = (message == GRANT);
        if
        :: what & CLOSED -> skip
        :: else -> send(r, manager(u), CONFIRM, u, r, READ, 0, 0)
        fi
    :: kind_of(what) == WRITE && (what & CLOSED) ->
        assert(acks[at(u, r)] == 0);
        completed(r, u);
        owns[at(u, r)] = 1
#endif
    :: else -> write_complete(r, u)
    fi
}

/* requester_ack. Each rank is set once by what names it and once by its ACK, whichever comes first. */
inline requester_ack(r, from, u)
{
    assert(pending[at(u, r)] == WRITE && (!come[at(u, r)] || has(acks[at(u, r)], from)));
    acks[at(u, r)] = acks[at(u, r)] ^ bit(from);
    write_complete(r, u)
}

/* ---- the holder (holder.c) ---------------------------------------------------------------- */

inline drop(r, u)
{
    access[at(u, r)] = NONE;
    value[at(u, r)] = 0;
    owns[at(u, r)] = 0
}

/* holder_forward, FIXED only: at the owner. To read what it only reads itself takes nothing away. */
inline holder_forward(r, u, who, what, ranks)
{
    assert(owns[at(u, r)]);
    if
    :: kind_of(what) == READ && access[at(u, r)] == READ -> send(r, who, DATA, u, who, READ, 0, value[at(u, r)])
    :: else -> put_off[at(u, r)]!FORWARD, who, what, ranks
    fi
}

/* holder_invalidate: at a rank that may have a copy. */
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
    printf("%d gives unit %d to %d\n", r, u, p_who);
    if
    :: p_message == INVALIDATE ->
        drop(r, u);
#ifdef DYNAMIC
        owner[at(u, r)] = p_who;
#endif
#ifndef BROKEN_EARLY_ACK
        send(r, p_who, ACK, u, p_who, WRITE, 0, 0)
#else
        skip
#endif
    :: p_message == FORWARD && kind_of(p_what) == READ ->
        access[at(u, r)] = READ;
        send(r, p_who, DATA, u, p_who, READ, 0, value[at(u, r)])
    :: else ->
        send(r, p_who, DATA, u, p_who, WRITE, p_ranks, value[at(u, r)]);
        drop(r, u)
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

/* Whether a request can be served now. Invariant 3: a write is alone. */
#ifdef BROKEN_UNCONFIRMED
#define servable(m, u, what) (!writing[at(u, m)])
#else
#define servable(m, u, what) (!writing[at(u, m)] && (kind_of(what) == READ || reading[at(u, m)] == 0))
#endif

/* It is through for the manager: what it sends to `who' later comes later. (DSM_CLOSED) */
inline manager_close(m, u, who)
{
    if
    :: closing(m, who) ->
        reading[at(u, m)] = without(reading[at(u, m)], who);
        writing[at(u, m)] = 0;
        now_reading[u] = without(now_reading[u], who);
        now_writing[u] = without(now_writing[u], who)
    :: else
    fi
}

/* manager_serve, its inner part: a request of which it is the turn. */
inline manager_start(m, u, who, what, copy)
{
    if
    :: kind_of(what) == READ ->
        begin_read(u, who);
        reading[at(u, m)] = reading[at(u, m)] | bit(who);
        if
        :: !touched[at(u, m)] ->
            touched[at(u, m)] = 1;
            owner[at(u, m)] = who;
            send(m, who, GRANT, u, who, READ | closing(m, who), 0, 0);
            manager_close(m, u, who)
        :: touched[at(u, m)] && access[at(u, m)] == READ ->
            send(m, who, DATA, u, who, READ | closing(m, who), 0, value[at(u, m)]);
            manager_close(m, u, who)
#ifdef CLOSES
        :: touched[at(u, m)] && access[at(u, m)] == WRITE && !due[at(u, m)] ->
            access[at(u, m)] = READ;
            send(m, who, DATA, u, who, READ | CLOSED, 0, value[at(u, m)]);
            manager_close(m, u, who)
#endif
        :: else ->
            assert(owner[at(u, m)] != who);
            send(m, owner[at(u, m)], FORWARD, u, who, READ, 0, 0)
        fi;
        copyset[at(u, m)] = copyset[at(u, m)] | bit(who)
    :: else ->
        begin_write(u, who);
        writing[at(u, m)] = 1;
        k = without(copyset[at(u, m)], who);
        if
        :: !touched[at(u, m)] ->
            touched[at(u, m)] = 1;
            send(m, who, GRANT, u, who, WRITE | closing(m, who), 0, 0);
            manager_close(m, u, who)
        /* Both must say so: the copyset, because the copy may have been invalidated since the request
         * was sent, and the request, because the copy may have been given up before. */
#ifdef BROKEN_COPYSET_ONLY
        :: touched[at(u, m)] && has(copyset[at(u, m)], who) ->
#elif defined(BROKEN_COPY_ONLY)
        :: touched[at(u, m)] && copy ->
#else
        :: touched[at(u, m)] && has(copyset[at(u, m)], who) && copy ->
#endif
#ifdef BROKEN_NO_INVALIDATE
            k = 0;
#endif
            invalidate(m, u, who, k);
            if
            :: k == 0 ->
                send(m, who, GRANT, u, who, WRITE | closing(m, who), k, 0);
                manager_close(m, u, who)
            :: else -> send(m, who, GRANT, u, who, WRITE, k, 0)
            fi
#ifdef CLOSES
        :: touched[at(u, m)] && owner[at(u, m)] == m && who != m && k == bit(m) && !due[at(u, m)] &&
                !(has(copyset[at(u, m)], who) && copy) ->
            send(m, who, DATA, u, who, WRITE | CLOSED, 0, value[at(u, m)]);
            drop(m, u);
            manager_close(m, u, who)
#endif
        :: else ->
            assert(owner[at(u, m)] != who);
            k = without(k, owner[at(u, m)]);
#ifdef BROKEN_NO_INVALIDATE
            k = 0;
#endif
            invalidate(m, u, who, k);
            send(m, owner[at(u, m)], FORWARD, u, who, WRITE, k, 0)
        fi;
        owner[at(u, m)] = who;
        copyset[at(u, m)] = bit(who)
    fi
}

/* manager_serve: from the head of the queue, as long as it can be. Invariant 3: nothing passes. */
inline manager_serve(m, u)
{
    do
    :: queue[at(u, m)]?[_, _, _] ->
        queue[at(u, m)]?<q_who, q_what, q_copy>;
        if
        :: servable(m, u, q_what) ->
            queue[at(u, m)]?q_who, q_what, q_copy;
            manager_start(m, u, q_who, q_what, q_copy)
        :: else -> break
        fi
    :: else -> break
    od
}

/* manager_confirm */
inline manager_confirm(m, u, who, what)
{
    if
    :: what == WRITE -> writing[at(u, m)] = 0
    :: else -> reading[at(u, m)] = without(reading[at(u, m)], who)
    fi;
#ifndef DYNAMIC
    manager_serve(m, u)
#endif
}

#ifndef DYNAMIC

/* manager_request */
inline manager_request(m, u, who, what)
{
    if
    :: (what & WISH) && (len(queue[at(u, m)]) > 0 || !servable(m, u, what)) ->
        send(m, who, REFUSE, u, who, what, 0, 0)
    :: else ->
        queue[at(u, m)]!who, kind_of(what), what & COPY;
        manager_serve(m, u)
    fi
}

#else /* DYNAMIC */

/* dynamic_forward: by who is not the owner. The requester of a write will be. */
inline dynamic_forward(r, to, u, who, what)
{
    assert(who != r || pending[at(u, r)] != NONE);
    send(r, to, REQUEST, u, who, what, 0, 0);
    if
    :: kind_of(what) == WRITE && who != r -> owner[at(u, r)] = who
    :: else
    fi
}

/* dynamic_forward: what is queued here goes to another rank. */
inline dynamic_hand_on(r, target, u)
{
    dest = target;
    do
    :: queue[at(u, r)]?[_, _, _] ->
        queue[at(u, r)]?q_who, q_what, q_copy;
        dynamic_forward(r, dest, u, q_who, q_what | q_copy)
    :: else -> break
    od
}

/* The owner may serve: no write of its own is under way, and a write is alone. */
#ifdef BROKEN_UNCONFIRMED
#define may_serve(r, u, what) (owns[at(u, r)] && !come[at(u, r)])
#else
#define may_serve(r, u, what) \
    (owns[at(u, r)] && !come[at(u, r)] && (kind_of(what) == READ || reading[at(u, r)] == 0))
#endif
/* What takes access away waits for the thread that waited. */
#define ripe(r, u, what) (!due[at(u, r)] || (kind_of(what) == READ && access[at(u, r)] == READ))

/* manager_request. What can be served is served by dynamic_serve, at once or later. */
inline manager_request(r, u, who, what)
{
    if
#ifdef BROKEN_WISH_PASSED
    :: (what & WISH) && !owns[at(u, r)] && pending[at(u, r)] != WRITE ->
        assert(who != r);
        dynamic_forward(r, owner[at(u, r)], u, who, what)
    :: (what & WISH) && (owns[at(u, r)] || pending[at(u, r)] == WRITE) &&
            !(len(queue[at(u, r)]) == 0 && may_serve(r, u, what) && ripe(r, u, what)) ->
#else
    :: (what & WISH) && !(len(queue[at(u, r)]) == 0 && may_serve(r, u, what) && ripe(r, u, what)) ->
#endif
        send(r, who, REFUSE, u, who, what, 0, 0)
#ifdef BROKEN_NO_QUEUE
    :: !(what & WISH) && !owns[at(u, r)] ->
#else
    :: !(what & WISH) && !owns[at(u, r)] && pending[at(u, r)] != WRITE ->
#endif
        assert(who != r);
        dynamic_forward(r, owner[at(u, r)], u, who, what)
    :: else -> queue[at(u, r)]!who, kind_of(what), what & COPY
    fi
}

/* manager_serve, at the owner: the head of its queue. */
inline dynamic_serve(r, u)
{
    queue[at(u, r)]?q_who, q_what, q_copy;
    printf("%d serves %d: unit %d, what %d\n", r, q_who, u, q_what);
    k = without(without(copyset[at(u, r)], q_who), r);
#ifdef BROKEN_NO_INVALIDATE
    k = 0;
#endif
    if
    :: q_who == r && q_what == READ -> /* its own: never touched */
        assert(access[at(u, r)] == NONE);
        begin_read(u, r);
        copyset[at(u, r)] = bit(r);
        completed(r, u)
    :: q_who == r && q_what == WRITE ->
        begin_write(u, r);
        invalidate(r, u, r, k);
        come[at(u, r)] = 1;
        acking[at(u, r)] = size(k);
        acks[at(u, r)] = k;
        write_complete(r, u)
    :: q_who != r && q_what == READ && access[at(u, r)] != NONE ->
        begin_read(u, q_who);
        access[at(u, r)] = READ;
        copyset[at(u, r)] = copyset[at(u, r)] | bit(q_who);
        reading[at(u, r)] = reading[at(u, r)] | bit(q_who);
        send(r, q_who, DATA, u, q_who, READ | closing(r, q_who), 0, value[at(u, r)]);
        manager_close(r, u, q_who)
    :: else -> /* ownership goes */
        if
        :: q_what == READ -> begin_read(u, q_who)
        :: else -> begin_write(u, q_who)
        fi;
        invalidate(r, u, q_who, k);
        if
        :: access[at(u, r)] == NONE || (has(copyset[at(u, r)], q_who) && q_copy) ->
            send(r, q_who, GRANT, u, q_who, q_what, k, 0)
        :: else ->
            send(r, q_who, DATA, u, q_who, q_what, k, value[at(u, r)])
        fi;
        drop(r, u);
        copyset[at(u, r)] = 0;
        owner[at(u, r)] = q_who;
        dynamic_hand_on(r, owner[at(u, r)], u)
    fi
}
#endif

/* requester_data, a REFUSE: it was only a wish. DYNAMIC: who was queued here meanwhile is sent on. */
inline holder_refused(r, u)
{
    assert(pending[at(u, r)] != NONE && !come[at(u, r)]);
    pending[at(u, r)] = NONE;
    sent[at(u, r)] = 0;
#if defined(DYNAMIC) && !defined(BROKEN_LEFT_QUEUE)
    dynamic_hand_on(r, owner[at(u, r)], u)
#endif
}

/* ---- processes ---------------------------------------------------------------------------- */

/* The engine of rank `me' takes messages of rank `peer'. A process for each, so that weak fairness
 * leaves no wire out. */
proctype Wire(byte peer, me)
{
end:
    do
    :: d_step {
        wire[peer * RANKS + me]?m_message, m_unit, m_who, m_what, m_ranks, m_value;
        if
        :: m_message == REQUEST -> manager_request(me, m_unit, m_who, m_what)
        :: m_message == CONFIRM -> manager_confirm(me, m_unit, m_who, m_what)
        :: m_message == INVALIDATE -> holder_invalidate(me, m_unit, m_who)
        :: m_message == DATA || m_message == GRANT ->
            requester_data(me, peer, m_message, m_unit, m_what, m_ranks, m_value)
        :: m_message == ACK -> requester_ack(me, peer, m_unit)
#ifndef DYNAMIC
        :: m_message == FORWARD -> holder_forward(me, m_unit, m_who, m_what, m_ranks)
#endif
#ifdef WISHES
        :: m_message == REFUSE -> holder_refused(me, m_unit)
#endif
        fi;
        look(m_unit)
    }
    od
}

/* holder_deferred, and the owner's manager_serve: what a rank has put off. The thread that waited comes
 * first. A thread that waits for another access to the unit is no reason: it would wait for itself. */
#ifdef BROKEN_WAITS
#define may_take(r, u) (want[at(u, r)] == NONE)
#else
#define may_take(r, u) (!due[at(u, r)])
#endif

proctype Deferred(byte r, u)
{
end:
    do
    :: d_step {
        len(put_off[at(u, r)]) > 0 && may_take(r, u) ->
        holder_deferred(r, u);
        look(u)
    }
#ifdef DYNAMIC
    :: d_step {
        queue[at(u, r)]?[_, READ, _] && may_serve(r, u, READ) && ripe(r, u, READ) ->
        dynamic_serve(r, u);
        look(u)
    }
    :: d_step {
        queue[at(u, r)]?[_, WRITE, _] && may_serve(r, u, WRITE) && ripe(r, u, WRITE) ->
        dynamic_serve(r, u);
        look(u)
    }
#endif
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

#ifdef BROKEN_GIVE_UP
#define may_give_up(r, u) (access[at(u, r)] == READ && !owns[at(u, r)] && !due[at(u, r)])
#else
#define may_give_up(r, u) \
    (access[at(u, r)] == READ && !owns[at(u, r)] && !due[at(u, r)] && pending[at(u, r)] == NONE)
#endif

/* fault_resolve: from a miss until the access. The unit stays until then (due). */
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
    :: d_step {
        access[at(u, r)] < want[at(u, r)] && pending[at(u, r)] == NONE ->
        request_begin(r, u, want[at(u, r)])
    }
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
    want[at(u, r)] = WRITE; \
    request_begin(r, u, WRITE)

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

/* A rank also gives up what it can do without, and fetches ahead. */
/* A thread that waits asks itself: a wish in its place could be refused for ever. */
#define may_wish(r, u) \
    (may_miss(r, u) && want[at(u, r)] == NONE && pending[at(u, r)] == NONE && !owns[at(u, r)])

proctype Rest(byte r, u)
{
end:
    do
    :: d_step {
        may_give_up(r, u) ->
        access[at(u, r)] = NONE;
        value[at(u, r)] = 0
    }
#ifdef WISHES
    :: d_step {
        may_wish(r, u) && access[at(u, r)] == NONE ->
        missed(r, u);
        request_begin(r, u, ask(READ) | WISH)
    }
    :: d_step {
        may_wish(r, u) && access[at(u, r)] != WRITE ->
        missed(r, u);
        request_begin(r, u, WRITE | WISH)
    }
#endif
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
                run Wire(i, j)
            }
            for (j : 0 .. UNITS - 1) {
                run Deferred(i, j);
#ifdef DYNAMIC
                owner[at(j, i)] = manager(j);
                owns[at(j, i)] = (i == manager(j));
#endif
#ifndef BOTH
                run Thread(i, j);
#endif
                run Rest(i, j)
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
