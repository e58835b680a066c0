# rpc: procedures on other ranks.

INCDIRS  += rpc/include
HEADERS  += $(call sources,rpc/include/*.h)
LIB_SRCS += $(call sources,rpc/*.c)
$(OBJ)/rpc/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/runtime

include $(srcdir)/rpc/gen/part.mk

# The fuzzer of unmarshalling; tests/unit/marshal_fuzz runs it for some rounds.
$(eval $(call private,$(OBJ)/tests/fuzz/rpc_unmarshal,tests/fuzz/rpc_unmarshal.c))
FUZZERS  += $(OBJ)/tests/fuzz/rpc_unmarshal
