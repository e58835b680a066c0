# bench: byre-bench, one program with a subcommand per subject. It compares with raw MPI, so it may
# include mpi.h.

$(OBJ)/bench/%.o: EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS)) -I$(srcdir)/runtime

# Calls of another system, for byre-bench rpc --peers: rpcgen writes its stubs, whose warnings are not ours. It
# names files as it was told, so it runs where they shall be.
ifeq ($(HAVE_TIRPC),yes)
TIRPC_STUBS := $(patsubst %,bench/peer_tirpc_%.c,clnt svc xdr)
GENERATED_H += $(OBJ)/bench/peer_tirpc.h
$(OBJ)/bench/peer_tirpc.h $(TIRPC_STUBS:%=$(OBJ)/%) &: $(srcdir)/bench/peer_tirpc.x config.mk
	$(say) RPCGEN bench/peer_tirpc.x
	@mkdir -p $(@D)
	$(Q)cp $< $(@D)/ && cd $(@D) && rm -f peer_tirpc.h peer_tirpc_*.c && \
	    for f in h:.h l:_clnt.c m:_svc.c c:_xdr.c; do \
	        $(SUN_RPCGEN) -M -$${f%%:*} -o peer_tirpc$${f#*:} peer_tirpc.x || exit 1; \
	    done
$(OBJ)/bench/peer_tirpc.o $(call obj_of,$(TIRPC_STUBS)): EXTRA_CPPFLAGS += $(call system,$(TIRPC_CFLAGS)) -I$(OBJ)/bench
$(OBJ)/bench/peer_tirpc.o: $(OBJ)/bench/peer_tirpc.h
$(call obj_of,$(TIRPC_STUBS)): WARNINGS := -w
$(call obj_of,$(TIRPC_STUBS)): %.o: %.c $(OBJ)/bench/peer_tirpc.h
	$(say) CC $(notdir $<)
	$(Q)$(COMPILE) -c -o $@ $<
endif

ifneq ($(call sources,bench/*.c),)
$(eval $(call program,byre-bench,$(call sources,bench/*.c) $(TIRPC_STUBS),$(TIRPC_LIBS)))
endif

# byre-apps: whole applications, each for shared memory and for messages; it counts, and prints, with what
# byre-bench has for that.
APPS_SHARED := $(addprefix bench/,contest.c crew.c machine.c options.c plot.c report.c stats.c)
ifneq ($(call sources,bench/apps/*.c),)
$(eval $(call program,byre-apps,$(call sources,bench/apps/*.c) $(APPS_SHARED)))
endif
