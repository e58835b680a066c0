# bench: byre-bench, one program with a subcommand per subject. It compares with raw MPI, so it may
# include mpi.h.

$(OBJ)/bench/%.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS)) -I$(srcdir)/runtime
ifneq ($(call sources,bench/*.c),)
$(eval $(call program,byre-bench,$(call sources,bench/*.c)))
endif

# byre-apps: whole applications, each for shared memory and for messages; it counts, and prints, with what
# byre-bench has for that.
APPS_SHARED := $(addprefix bench/,contest.c crew.c machine.c options.c plot.c report.c stats.c)
ifneq ($(call sources,bench/apps/*.c),)
$(eval $(call program,byre-apps,$(call sources,bench/apps/*.c) $(APPS_SHARED)))
endif
