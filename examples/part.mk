# examples: built as a user's program is: public headers and nothing else. One program a file, or a directory.

EXAMPLES := $(patsubst examples/%.c,%,$(call sources,examples/*.c))

# Private: the compiler of interfaces, of which some of them are made, is not built so.
$(OBJ)/examples/%.o: private BYRE_CPPFLAGS = -D_GNU_SOURCE $(INCDIRS:%=-I$(srcdir)/%)
$(OBJ)/examples/%.o: private EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS))
$(foreach e,$(EXAMPLES),$(eval $(call private,$(BIN)/$(e),examples/$(e).c)))
$(eval $(call private,$(BIN)/wordfreq,$(call sources,examples/wordfreq/*.c)))

# Those of rpc: an interface and a program that is both client and server.
RPC_EXAMPLES := $(patsubst examples/rpc/%.idl,%,$(call sources,examples/rpc/*.idl))
$(OBJ)/examples/rpc/%.o: private EXTRA_CPPFLAGS = -I$(OBJ)/examples/rpc
$(foreach e,$(RPC_EXAMPLES),$(eval $(call stubs,examples/rpc/$(e))))
$(foreach e,$(RPC_EXAMPLES),$(eval $(OBJ)/examples/rpc/$(e).o: $(OBJ)/examples/rpc/$(e).h))
$(foreach e,$(RPC_EXAMPLES),$(eval $(call private,$(BIN)/rpc_$(e),$(addprefix examples/rpc/$(e),.c _types.c _client.c _server.c))))

.PHONY: examples
examples: $(EXAMPLES:%=$(BIN)/%) $(BIN)/wordfreq $(RPC_EXAMPLES:%=$(BIN)/rpc_%)
all: examples
