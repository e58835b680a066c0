# dsm: distributed shared memory.

INCDIRS  += dsm/include
HEADERS  += $(call sources,dsm/include/*.h)
LIB_SRCS += $(call sources,dsm/*.c)
$(OBJ)/dsm/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/runtime

# The application's own MPI calls with buffers in shared memory.
$(OBJ)/dsm/pmpi/%.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS))
$(eval $(call library,libbyre_pmpi,$(call sources,dsm/pmpi/*.c),dsm/pmpi/libbyre_pmpi.map))

# The protocol, model-checked: dsm/model/coherence.pml.
.PHONY: check-model
check-model:
	@CC='$(CC)' $(srcdir)/dsm/model/check
