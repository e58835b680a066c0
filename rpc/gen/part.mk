# rpc/gen: byre-rpcgen. It runs where nothing is installed yet, and needs neither MPI nor libbyre.

GEN_DIR     := $(OBJ)/rpc/gen
GEN_SRCS    := $(call sources,rpc/gen/*.c)
GEN_OBJS     = $(call obj_of,$(GEN_SRCS)) $(GEN_DIR)/lexer.o $(GEN_DIR)/parser.o
RPCGEN      := $(BIN)/byre-rpcgen
PROGRAMS    += $(RPCGEN)
PROG_SRCS   += $(GEN_SRCS) rpc/gen/lexer.c rpc/gen/parser.c

$(GEN_DIR)/%.o: EXTRA_CPPFLAGS = -I$(srcdir)/rpc/gen -I$(GEN_DIR)

# Made by flex and bison: where they stand, and what they warn of, is not ours.
$(GEN_DIR)/lexer.c: $(srcdir)/rpc/gen/lexer.l config.mk
	$(say) FLEX $(notdir $<)
	@mkdir -p $(@D)
	$(Q)$(FLEX) -o $@ $<

$(GEN_DIR)/parser.c $(GEN_DIR)/parser.h &: $(srcdir)/rpc/gen/parser.y config.mk
	$(say) BISON $(notdir $<)
	@mkdir -p $(@D)
	$(Q)$(BISON) -Wall -Werror -o $(GEN_DIR)/parser.c --header=$(GEN_DIR)/parser.h $<

$(GEN_DIR)/lexer.o $(GEN_DIR)/parser.o: WARNINGS := -w
$(GEN_DIR)/lexer.o $(GEN_DIR)/parser.o: %.o: %.c $(GEN_DIR)/parser.h
	$(say) CC $(notdir $<)
	$(Q)$(COMPILE) -c -o $@ $<

$(RPCGEN): $(GEN_OBJS) $(SAN_OBJS)
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(GEN_OBJS) $(SAN_OBJS)

# $(eval $(call stubs,DIR/NAME)): rules that make $(OBJ)/DIR/NAME.h and objects of the stubs from DIR/NAME.idl.
# A program that uses them names DIR/NAME_types.c and so on among its sources, and says
# $(OBJ)/DIR/NAME.o: $(OBJ)/DIR/NAME.h.
define stubs
GENERATED_H += $(OBJ)/$(1).h
$(addprefix $(OBJ)/$(1),.h _types.c _client.c _server.c) &: $(srcdir)/$(1).idl $(RPCGEN)
	$$(say) IDL $(1).idl
	@mkdir -p $$(@D)
	$$(Q)$(RPCGEN) -o $$(@D) $$<
$(patsubst %,$(OBJ)/$(1)_%.o,types client server): %.o: %.c
	$$(say) CC $$(notdir $$<)
	$$(Q)$$(COMPILE) -c -o $$@ $$<
endef

# Its fuzzer (tests/fuzz/rpcgen.c) is the compiler without the command line.
GEN_FUZZER  := $(OBJ)/tests/fuzz/rpcgen
PROG_SRCS   += tests/fuzz/rpcgen.c
FUZZERS     += $(GEN_FUZZER)
$(OBJ)/tests/fuzz/rpcgen.o: EXTRA_CPPFLAGS = -I$(srcdir)/rpc/gen
$(GEN_FUZZER): $(OBJ)/tests/fuzz/rpcgen.o $(filter-out %/main.o,$(GEN_OBJS)) $(SAN_OBJS)
	$(say) LD $@
	$(Q)$(LINK) -o $@ $^
