# examples: one program a file, built as a user's program is: public headers and nothing else.

EXAMPLES := $(patsubst examples/%.c,%,$(call sources,examples/*.c))

$(OBJ)/examples/%.o: BYRE_CPPFLAGS = -D_GNU_SOURCE $(INCDIRS:%=-I$(srcdir)/%)
$(OBJ)/examples/%.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS))
$(foreach e,$(EXAMPLES),$(eval $(call private,$(BIN)/$(e),examples/$(e).c)))

.PHONY: examples
examples: $(EXAMPLES:%=$(BIN)/%)
all: examples
