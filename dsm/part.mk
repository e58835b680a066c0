# dsm: distributed shared memory.

INCDIRS  += dsm/include
HEADERS  += $(call sources,dsm/include/*.h)
LIB_SRCS += $(call sources,dsm/*.c)
$(OBJ)/dsm/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/runtime

# The protocol, model-checked: dsm/model/coherence.pml.
.PHONY: check-model
check-model:
	@CC='$(CC)' $(srcdir)/dsm/model/check
