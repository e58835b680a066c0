# dsm: distributed shared memory.

INCDIRS  += dsm/include
HEADERS  += $(call sources,dsm/include/*.h)
LIB_SRCS += $(call sources,dsm/*.c)
$(OBJ)/dsm/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/runtime
