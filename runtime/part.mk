# runtime: the ground floor of the library, and the byre command.

INCDIRS  += runtime/include
HEADERS  += $(call sources,runtime/include/*.h)
LIB_SRCS += $(call sources,runtime/*.c)

# The only file of the library that sees MPI.
$(OBJ)/runtime/transport_mpi.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS))

# byre: `byre X' without a built-in X runs byre-X, beside it or in $(libexecdir)/byre. It links no MPI, so that
# it starts at once; other parts add commands to it (BYRE_CMDS). byre-topo is a job, and needs it.
$(OBJ)/runtime/cmd/%.o: EXTRA_CPPFLAGS = -DBYRE_LIBEXECDIR='"$(libexecdir)/byre"'
TOPO_CMD  := $(call sources,runtime/cmd/topo.c runtime/cmd/topo_*.c)
BYRE_CMDS := $(filter-out $(TOPO_CMD) runtime/cmd/single.c,$(call sources,runtime/cmd/*.c))
$(eval $(call program,byre-topo,$(TOPO_CMD) $(addprefix runtime/cmd/,single.c cmd.c)))
