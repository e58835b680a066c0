# runtime: the ground floor of the library, and the byre command.

INCDIRS  += runtime/include
HEADERS  += $(call sources,runtime/include/*.h)
LIB_SRCS += $(call sources,runtime/*.c)

# The only file of the library that sees MPI.
$(OBJ)/runtime/transport_mpi.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS))

# byre: `byre X' without a built-in X runs $(libexecdir)/byre/byre-X.
$(OBJ)/runtime/cmd/%.o: EXTRA_CPPFLAGS = -DBYRE_LIBEXECDIR='"$(libexecdir)/byre"'
ifneq ($(call sources,runtime/cmd/*.c),)
$(eval $(call program,byre,$(call sources,runtime/cmd/*.c)))
endif
