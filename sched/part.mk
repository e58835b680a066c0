# sched: where processes run.

INCDIRS  += sched/include
HEADERS  += $(call sources,sched/include/*.h)
# What programs use (byre_sched.h), and what clients, daemons and keepers share. No MPI in it.
LIB_SRCS += $(call sources,sched/*.c)
$(OBJ)/sched/%.o: EXTRA_CPPFLAGS = -DBYRE_LIBEXECDIR='"$(libexecdir)/byre"' -DBYRE_BINDIR='"$(bindir)"' \
                                   -DBYRE_MPIRUN='"$(MPIRUN)"'

# Pure: decisions and no deeds. The daemon, the simulator and the tests have the same ones.
SCHED_POLICY := $(call sources,sched/policy/*.c)
SCHED_PLACE  := $(call sources,sched/place/*.c)
SCHED_LOAD   := $(call sources,sched/daemon/load*.c)
SCHED_LEDGER := $(call sources,sched/daemon/ledger*.c)
SCHED_PEER   := $(call sources,sched/daemon/peer*.c)
SCHED_KEEPER := $(filter-out %/main.c,$(call sources,sched/keeper/*.c))

# The daemon: one on each node, a rank of mpirun.
ifneq ($(wildcard $(srcdir)/sched/daemon/main.c),)
$(eval $(call program,byred,$(call sources,sched/daemon/*.c) $(SCHED_POLICY) $(SCHED_PLACE),$(SQLITE_LIBS)))
endif

# The keeper: holds the jobs of a node, outside mpirun's tree of processes. No MPI.
ifneq ($(wildcard $(srcdir)/sched/keeper/main.c),)
$(eval $(call program,byred-keeper,$(call sources,sched/keeper/*.c),-Wl$(comma)--as-needed))
endif

ifneq ($(wildcard $(srcdir)/sched/sim/main.c),)
$(eval $(call program,byre-sim,$(call sources,sched/sim/*.c) $(SCHED_POLICY),-Wl$(comma)--as-needed))
endif

# byre top: all but its loops, its connection and its terminal is free of both, and is what tests look at.
TOP_TIED := $(addprefix sched/top/,main.c live.c print.c screen.c) $(call sources,sched/top/pool*.c)
TOP_PURE := $(filter-out $(TOP_TIED),$(call sources,sched/top/*.c)) sched/cmd/text.c runtime/cmd/cmd.c
LINKED_WITH_sched_top := $(TOP_PURE)
ifneq ($(wildcard $(srcdir)/sched/top/main.c),)
$(eval $(call program,byre-top,$(TOP_PURE) $(TOP_TIED) \
    runtime/cmd/single.c,-Wl$(comma)--as-needed $(NCURSES_LIBS)))
endif

# What people type.
BYRE_CMDS += $(call sources,sched/cmd/*.c)

# What is not in the library is linked into the tests that look at it.
LINKED_WITH_sched_ledger        := $(SCHED_LEDGER)
LINKED_WITH_sched_ledger_damage := $(SCHED_LEDGER)
LINKED_WITH_sched_ledger_kill   := $(SCHED_LEDGER)
LINKED_WITH_sched_peer          := $(SCHED_PEER)
LINKED_WITH_sched_peer_names    := $(SCHED_PEER)
LINKED_WITH_sched_peer_killed   := $(SCHED_PEER)
LINKED_WITH_sched_place          := $(SCHED_PLACE)
LINKED_WITH_sched_place_memory   := $(SCHED_PLACE)
LINKED_WITH_sched_place_property := $(SCHED_PLACE)
LINKED_WITH_sched_place_real     := $(SCHED_PLACE)
LINKED_WITH_sched_load           := $(SCHED_LOAD)
LINKED_WITH_sched_launch_log     := sched/cmd/launch_log.c
LINKED_WITH_sched_keeper_tmp     := sched/keeper/remove.c
LINKED_WITH_sched_policy        := $(SCHED_POLICY)
LINKED_WITH_sched_policy_random := $(SCHED_POLICY)
LINKED_WITH_sched_sim           := $(SCHED_POLICY) \
    $(filter-out %/main.c %/options.c %/pool.c %/plot.c,$(call sources,sched/sim/*.c))

# The fuzzer of frames and of what is in them; tests/unit/sched_fuzz runs it for some rounds.
$(eval $(call private,$(OBJ)/tests/fuzz/sched_frame,tests/fuzz/sched_frame.c))
FUZZERS  += $(OBJ)/tests/fuzz/sched_frame
