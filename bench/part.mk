# bench: byre-bench, one program with a subcommand per subject. It compares with raw MPI, so it may
# include mpi.h.

$(OBJ)/bench/%.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS)) -I$(srcdir)/runtime
ifneq ($(call sources,bench/*.c),)
$(eval $(call program,byre-bench,$(call sources,bench/*.c)))
endif
