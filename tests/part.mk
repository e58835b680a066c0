# tests: found by their place, so that adding one is adding a file.
#
#   tests/check/*.sh    the tree itself: headers, layering, symbols, install ...
#   tests/unit/*.c      one Check suite a program, no MPI needed (loopback transport)
#   tests/mpi/*.c       one program a behaviour, run by mpirun with each of BYRE_TEST_NP ranks
#   tests/sh/*.sh       the commands, as a user types them; tests/sh/*.c are programs they use
#   tests/fault/*.sh    kill and cut; tests/fault/*.c are the programs they use
#   tests/lab/*.sh      several nodes: byre lab, and jobs on it; tests/lab/*.c are their programs
#   tests/fuzz/*.c      fuzzers, with tests/fuzz/corpus/NAME; a part.mk says how each is made: FUZZERS
#   tests/support/*.c   linked into every test program
#
# tests/run runs them; its head says what a test may ask for.

TEST_UNIT    := $(call sources,tests/unit/*.c)
TEST_MPI     := $(call sources,tests/mpi/*.c)
TEST_FAULT   := $(call sources,tests/fault/*.c)
TEST_SH      := $(call sources,tests/sh/*.c)
TEST_LAB     := $(call sources,tests/lab/*.sh)
LAB_FAULTS   := $(call sources,tests/lab/*.c)
TEST_SUPPORT := $(call sources,tests/support/*.c)
TESTS_ALL    += $(call sources,tests/check/*.sh) $(TEST_UNIT) $(TEST_MPI) \
                $(call sources,tests/sh/*.sh) $(call sources,tests/fault/*.sh)

# Tests may look inside, and stand beside raw MPI.
$(OBJ)/tests/%.o: private EXTRA_CPPFLAGS = $(call system,$(MPI_CFLAGS) $(CHECK_CFLAGS)) \
                                   -I$(srcdir)/runtime -I$(srcdir)/tests/support -I$(OBJ)/tests/mpi

# tests/mpi/foo.idl beside foo.c: the program has its stubs.
TEST_IDL := $(patsubst %.idl,%,$(call sources,tests/mpi/*.idl))
$(foreach i,$(TEST_IDL),$(eval $(call stubs,$(i))))
$(foreach i,$(TEST_IDL),$(eval $(OBJ)/$(i).o: $(OBJ)/$(i).h))
test_stubs = $(foreach i,$(filter $(1:.c=),$(TEST_IDL)),$(addprefix $(i),_types.c _client.c _server.c))

test_programs = $(patsubst %.c,$(OBJ)/%,$(1))
# What is not in the library is linked into the tests that look at it: LINKED_WITH_name, in the part's part.mk.
test_with = $(LINKED_WITH_$(basename $(notdir $(1))))
$(foreach t,$(TEST_MPI) $(TEST_FAULT) $(LAB_FAULTS) $(TEST_SH),$(eval \
    $(call private,$(call test_programs,$(t)),$(t) $(call test_stubs,$(t)) $(call test_with,$(t)) $(TEST_SUPPORT))))
ifeq ($(HAVE_CHECK),yes)
$(foreach t,$(TEST_UNIT),$(eval \
    $(call private,$(call test_programs,$(t)),$(t) $(call test_with,$(t)) $(TEST_SUPPORT),$$(CHECK_LIBS))))
$(OBJ)/tests/unit/sched_ledger $(OBJ)/tests/unit/sched_ledger_damage $(OBJ)/tests/unit/sched_ledger_kill: CHECK_LIBS += $(SQLITE_LIBS)
UNIT_PROGRAMS := $(call test_programs,$(TEST_UNIT))

# alloc_failure stands between the library and what it asks for.
WRAPPED := malloc calloc realloc aligned_alloc strdup free mmap munmap eventfd epoll_create1 \
           memfd_create socket fopen opendir pthread_create
$(OBJ)/tests/unit/alloc_failure: CHECK_LIBS += $(WRAPPED:%=-Wl,--wrap=%)
# marshal_memory and sched_place_memory refuse it memory.
$(OBJ)/tests/unit/sched_place_memory: CHECK_LIBS += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc)
$(OBJ)/tests/unit/marshal_memory: CHECK_LIBS += \
    $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc aligned_alloc mmap)
endif
# Before MPI, whose calls it stands in for.
$(OBJ)/tests/mpi/pmpi: MPI_LIBS := $(LIB)/libbyre_pmpi.a $(STATIC) $(MPI_LIBS)
$(OBJ)/tests/mpi/pmpi: $(LIB)/libbyre_pmpi.a
MPI_PROGRAMS  := $(call test_programs,$(TEST_MPI) $(TEST_FAULT) $(LAB_FAULTS) $(TEST_SH))

tests: $(UNIT_PROGRAMS) $(MPI_PROGRAMS) $(FUZZERS)

# What the runner and the scripts need to know.
TEST_ENV = BYRE_SRCDIR='$(abspath $(srcdir))' BYRE_BUILDDIR='$(CURDIR)' BYRE_OBJ='$(abspath $(OBJ))' \
           BYRE_BIN='$(abspath $(BIN))' BYRE_LIB='$(abspath $(LIB))' BYRE_PARTS='$(PARTS)' \
           BYRE_HEADERS='$(HEADERS)' BYRE_INCDIRS='$(INCDIRS)' HAVE_CHECK='$(HAVE_CHECK)' \
           CC='$(CC)' CXX='$(CXX)' NM='$(NM)' PKG_CONFIG='$(PKG_CONFIG)' MPIRUN='$(MPIRUN)' \
           MAKE='$(MAKE)' VERSION='$(VERSION)' SONAME='$(SONAME)'

.PHONY: check lab-check asan-check tsan-check san-check
check: all tests
	@$(TEST_ENV) $(srcdir)/tests/run $(TESTS_ALL) $(if $(FULL),$(TEST_LAB))

# Jobs on several nodes, in a lab on this machine. Takes root; without it every test is skipped.
lab-check: all tests
	@$(TEST_ENV) BYRE_TEST_MPI='$(TEST_MPI)' $(srcdir)/tests/run $(TEST_LAB)

# ---- fuzzers: a few seconds in `make check', as long as you like here, sanitized ---------------------

FUZZ_SECONDS ?= 60
.PHONY: fuzz fuzz-run
fuzz:
	@$(ASAN_ENV) $(MAKE) --no-print-directory fuzz-run OBJ=obj-asan FUZZ_SECONDS=$(FUZZ_SECONDS) \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1'
fuzz-run: $(FUZZERS)
	@set -e; for f in $(FUZZERS); do \
	    echo "$$f, $(FUZZ_SECONDS) seconds"; \
	    $$f $(srcdir)/tests/fuzz/corpus/$${f##*/} $(FUZZ_SECONDS); \
	done

# ---- sanitizers: the same tests, other objects ----------------------------------------------------

SANDIR    := $(abspath $(srcdir))/tests/sanitizers
ASAN_ENV   = ASAN_OPTIONS=detect_stack_use_after_return=1:check_initialization_order=1:fast_unwind_on_malloc=0:$$ASAN_OPTIONS \
             LSAN_OPTIONS=suppressions=$(SANDIR)/lsan.supp:print_suppressions=0:$$LSAN_OPTIONS \
             UBSAN_OPTIONS=print_stacktrace=1:$$UBSAN_OPTIONS
# Open MPI is not instrumented: what it does between its own threads is not ours to judge.
TSAN_ENV   = TSAN_OPTIONS=suppressions=$(SANDIR)/tsan.supp:ignore_noninstrumented_modules=1:die_after_fork=0:second_deadlock_stack=1:$$TSAN_OPTIONS

asan-check:
	@$(ASAN_ENV) BYRE_TEST_NP="$${BYRE_TEST_NP:-1 2}" $(MAKE) --no-print-directory san-check \
	    OBJ=obj-asan SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1'

tsan-check:
	@$(TSAN_ENV) BYRE_TEST_NP="$${BYRE_TEST_NP:-2}" $(MAKE) --no-print-directory san-check \
	    OBJ=obj-tsan SAN='-fsanitize=thread -fno-omit-frame-pointer -O1'

# Sanitized programs are slow and want a predictable address space.
san-check: tests
	@$(TEST_ENV) BYRE_TEST_SLOW=5 CK_TIMEOUT_MULTIPLIER=5 BYRE_TEST_NO_ASLR=1 BYRE_SANITIZED=1 \
	    $(srcdir)/tests/run $(TEST_UNIT) $(TEST_MPI)

# They play the daemon of a keeper that they start.
KEEPER_TESTS := $(filter $(OBJ)/tests/unit/sched_keeper%,$(UNIT_PROGRAMS))
$(KEEPER_TESTS): | $(BIN)/byred-keeper
