# rpc: procedures on other ranks.

INCDIRS  += rpc/include
HEADERS  += $(call sources,rpc/include/*.h)
LIB_SRCS += $(call sources,rpc/*.c)
$(OBJ)/rpc/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/runtime

include $(srcdir)/rpc/gen/part.mk
