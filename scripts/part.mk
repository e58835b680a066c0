# scripts: subcommands of byre that are scripts, what they are made of, and bash completion.

LIBEXECS    += $(filter-out %.in,$(call sources,scripts/byre-*))
COMPLETIONS := $(call sources,scripts/completion/*)

# byre-lab reads in scripts/lab/*.bash and runs these small programs, which stand beside byre in lab/.
# They run in every node of a lab: no MPI, and the library only where it is used.
HELPER_FILES += $(call sources,scripts/lab/*.bash)
LAB_SRCS     := $(call sources,scripts/lab/*.c)
LAB_PROGRAMS := $(LAB_SRCS:scripts/lab/%.c=$(BIN)/lab/%)
HELPERS      += $(LAB_PROGRAMS)
PROG_SRCS    += $(LAB_SRCS)

$(BIN)/lab/plan: LAB_LIBS = $(STATIC)
$(BIN)/lab/plan: $(STATIC)
$(LAB_PROGRAMS): $(BIN)/lab/%: $(OBJ)/scripts/lab/%.o $(SAN_OBJS)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $< $(SAN_OBJS) $(LAB_LIBS) -lm
