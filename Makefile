# Makefile of Byre: hand-written, non-recursive, GNU make.
#
# How it is put together:
#   config.mk          what configure found (made on the spot when it is missing)
#   Makefile           this file: flags, the rules that every part shares, install, dist
#   PART/part.mk       what a part adds: library sources, programs, headers, tests
#
# What a part.mk may say (paths are relative to the source directory):
#   LIB_SRCS  += runtime/msg.c                  a source of libbyre
#   HEADERS   += runtime/include/byre_foo.h     a public header, installed flat
#   INCDIRS   += runtime/include                a directory of public headers
#   LIBEXECS  += scripts/byre-foo               a script that `byre foo' runs
#   HELPERS   += $(BIN)/lab/foo                 a program that such a script needs: built, and installed in
#                                               a directory beside it; HELPER_FILES: one that is not built
#   MANPAGES  += docs/man/byre.1                a man page
#   $(eval $(call program,NAME,SOURCES,LIBS))   a program, installed: $(BIN)/NAME
#   $(eval $(call private,PATH,SOURCES,LIBS))   a program, not installed: PATH
#   $(eval $(call library,NAME,SOURCES,MAP))    a library beside libbyre, shared and static, installed
#   TESTS_ALL += tests/unit/foo.c               a test; see tests/part.mk
#   FUZZERS   += $(OBJ)/tests/fuzz/foo          a program: CORPUS-DIRECTORY SECONDS
#
# Where things go: objects to $(OBJ), programs to $(BIN), libraries to $(LIB), all below the build
# directory. Another set of flags uses another OBJ (see asan-check), so builds never mix.

ifndef srcdir
srcdir := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
endif
PARTS  := runtime dsm rpc sched bench tests scripts docs examples

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/sh

# ---- configuration: make bootstraps itself -------------------------------------------------------

# Goals that need no configuration.
UNCONFIGURED := help clean distclean configure check-model lint-shell lint-spell lint-format format
ifneq ($(if $(MAKECMDGOALS),$(filter-out $(UNCONFIGURED),$(MAKECMDGOALS)),all),)
include config.mk
endif

$(srcdir)/configure: $(srcdir)/configure.ac
	@command -v autoconf >/dev/null || { \
	    echo "autoconf is missing: run scripts/install-deps (Debian: apt-get install autoconf)" >&2; \
	    exit 1; }
	@echo "  AUTOCONF"
	$(Q)cd $(srcdir) && autoheader --force && autoconf --force && \
	    rm -rf autom4te.cache configure~ config.h.in~ && touch config.h.in configure

config.mk: $(srcdir)/configure $(srcdir)/config.mk.in $(srcdir)/scripts/byre.pc.in
	@if test -f config.status; then ./config.status --recheck && ./config.status; \
	 else $(srcdir)/configure $(CONFIGURE_FLAGS); fi
	@touch config.mk config.h

config.h: config.mk
	@test -f $@ || ./config.status $@

# ---- directories, flags --------------------------------------------------------------------------

OBJ ?= obj
ifeq ($(OBJ),obj)
BIN ?= bin
LIB ?= lib
else
BIN ?= $(OBJ)/bin
LIB ?= $(OBJ)/lib
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wvla \
            -Wundef $(WERROR)

# Headers of other projects are system headers: their warnings are not ours.
system   = $(patsubst -I%,-isystem %,$(1))
DEPFLAGS = -MMD -MP
INCDIRS  :=

# Seen by every source of the library, the commands, the benchmarks and the tests:
# config.h is included by the command line, so that no file can forget it.
BYRE_CPPFLAGS = -include config.h -D_GNU_SOURCE -I. -I$(srcdir) $(INCDIRS:%=-I$(srcdir)/%) \
                $(call system,$(HWLOC_CFLAGS) $(NUMA_CFLAGS) $(CK_CFLAGS))

# One set of objects serves both libraries, hence -fPIC. The symbol map, not interposition, says what
# is public, so calls inside the library may be direct. Thread-local variables are read in the SIGSEGV
# handler and on the hot path: initial-exec needs neither a call nor an allocation.
BYRE_CFLAGS = -std=gnu11 $(WARNINGS) -pthread -fPIC -fno-semantic-interposition \
              -ftls-model=initial-exec

# SAN is set by the sanitizer targets only.
SAN          =
SAN_OBJS     = $(if $(SAN),$(OBJ)/tests/sanitizers/dlclose.o)
COMPILE      = $(CC) $(DEPFLAGS) $(BYRE_CPPFLAGS) $(EXTRA_CPPFLAGS) $(CPPFLAGS) \
               $(BYRE_CFLAGS) $(CFLAGS) $(SAN)
LINK         = $(CC) $(CFLAGS) $(SAN) -pthread $(LDFLAGS)
BYRE_LDLIBS  = $(MPI_LIBS) $(HWLOC_LIBS) $(NUMA_LIBS) $(CK_LIBS) $(LIBS) -lm

# Quiet by default; make V=1 shows the commands.
ifneq ($(V),1)
Q := @
endif
say = @printf '  %-5s %s\n'

# ---- what the parts add to -----------------------------------------------------------------------

LIB_SRCS  :=
HEADERS   :=
LIBEXECS  :=
HELPERS   :=
HELPER_FILES :=
MANPAGES  :=
TESTS_ALL :=
FUZZERS   :=
GENERATED_H :=
PROGRAMS  :=
PRIVATES  :=
PROG_SRCS :=
LIBRARIES :=

comma := ,
# $(call sources,runtime/*.c): the files there, as paths relative to the source directory, sorted.
sources = $(patsubst $(srcdir)/%,%,$(sort $(wildcard $(addprefix $(srcdir)/,$(1)))))
obj_of = $(patsubst %.c,$(OBJ)/%.o,$(1))

# The programs use the static library: they run in place, without an rpath.
STATIC   := $(LIB)/libbyre.a
SONAME   := libbyre.so.$(SOVERSION)
SHARED   := $(LIB)/libbyre.so.$(VERSION)

# $(call private,PATH,SOURCES[,LIBS]): a program that is built but not installed.
define private
PRIVATES  += $(1)
PROG_SRCS += $(2)
$(1): $(call obj_of,$(2)) $(SAN_OBJS) $(STATIC)
	$(say) LD $$@
	@mkdir -p $$(@D)
	$(Q)$$(LINK) -o $$@ $(call obj_of,$(2)) $(SAN_OBJS) $(STATIC) $(3) $$(BYRE_LDLIBS)
endef

# $(call program,NAME,SOURCES[,LIBS]): a program that is installed.
define program
PROGRAMS += $(BIN)/$(1)
$(call private,$(BIN)/$(1),$(2),$(3))
endef

# $(call library,NAME,SOURCES,MAP): $(LIB)/NAME.a and .so, which stand on libbyre; MAP says what the
# shared one exports.
define library
LIBRARIES += $(1)
PROG_SRCS += $(2)
$(LIB)/$(1).a: $(call obj_of,$(2))
	$(say) AR $$@
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)$$(AR) rcs $$@ $(call obj_of,$(2))
$(LIB)/$(1).so.$(VERSION): $(call obj_of,$(2)) $(srcdir)/$(3) $(SHARED)
	$(say) LD $$@
	$(Q)$$(LINK) -shared -Wl,-soname,$(1).so.$(SOVERSION) -Wl,--version-script=$(srcdir)/$(3) \
	    -Wl,-z,defs -Wl,-z,now -o $$@ $(call obj_of,$(2)) -L$(LIB) -lbyre $$(MPI_LIBS)
	$(Q)ln -sf $$(notdir $$@) $(LIB)/$(1).so.$(SOVERSION)
	$(Q)ln -sf $$(notdir $$@) $(LIB)/$(1).so
endef

include $(wildcard $(PARTS:%=$(srcdir)/%/part.mk))

# The command `byre', of what the parts have put into it.
$(eval $(call program,byre,$(BYRE_CMDS),-Wl$(comma)--as-needed))

# ---- all -----------------------------------------------------------------------------------------

.PHONY: all lib programs tests
all: lib programs
lib: $(STATIC) $(SHARED) $(foreach l,$(LIBRARIES),$(LIB)/$(l).a $(LIB)/$(l).so.$(VERSION))
programs: $(PROGRAMS) $(HELPERS)

LIB_OBJS := $(call obj_of,$(LIB_SRCS))

# Everything depends on config.mk: other options, other objects.
$(OBJ)/%.o: $(srcdir)/%.c config.mk
	$(say) CC $*.c
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(STATIC): $(LIB_OBJS)
	$(say) AR $@
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(SHARED): $(LIB_OBJS) $(srcdir)/runtime/libbyre.map
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(LINK) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(srcdir)/runtime/libbyre.map \
	    -Wl,-z,defs -Wl,-z,now -o $@ $(LIB_OBJS) $(BYRE_LDLIBS)
	$(Q)ln -sf $(notdir $@) $(LIB)/$(SONAME)
	$(Q)ln -sf $(notdir $@) $(LIB)/libbyre.so

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(call obj_of,$(PROG_SRCS)))

# ---- install -------------------------------------------------------------------------------------

INSTALL  := install
BASHCOMP := $(datadir)/bash-completion/completions

# One list for both directions: DIRECTORY FILE [MODE] a line.
define INSTALLED
$(foreach f,$(PROGRAMS),$(bindir) $(f) 755
)$(foreach f,$(LIBEXECS),$(libexecdir)/byre $(srcdir)/$(f) 755
)$(foreach f,$(HELPERS),$(libexecdir)/byre/$(notdir $(patsubst %/,%,$(dir $(f)))) $(f) 755
)$(foreach f,$(HELPER_FILES),$(libexecdir)/byre/$(notdir $(patsubst %/,%,$(dir $(f)))) $(srcdir)/$(f) 644
)$(foreach f,$(HEADERS),$(includedir) $(srcdir)/$(f) 644
)$(foreach f,$(MANPAGES),$(mandir)/man$(subst .,,$(suffix $(f))) $(srcdir)/$(f) 644
)$(foreach f,$(COMPLETIONS),$(BASHCOMP) $(srcdir)/$(f) 644
)$(foreach l,$(LIBRARIES),$(libdir) $(LIB)/$(l).so.$(VERSION) 755
$(libdir) $(LIB)/$(l).a 644
)$(libdir) $(SHARED) 755
$(libdir) $(STATIC) 644
$(libdir)/pkgconfig byre.pc 644
endef
export INSTALLED

.PHONY: install uninstall
install: all
	$(Q)set -e; printf '%s\n' "$$INSTALLED" | while read -r dir file mode; do \
	    test -n "$$dir" || continue; \
	    printf '  INST  %s/%s\n' "$$dir" "$${file##*/}"; \
	    $(INSTALL) -d "$(DESTDIR)$$dir"; \
	    $(INSTALL) -m "$$mode" "$$file" "$(DESTDIR)$$dir"; \
	done
	$(Q)for l in libbyre $(LIBRARIES); do \
	    ln -sf $$l.so.$(VERSION) "$(DESTDIR)$(libdir)/$$l.so.$(SOVERSION)"; \
	    ln -sf $$l.so.$(SOVERSION) "$(DESTDIR)$(libdir)/$$l.so"; \
	done
	$(Q)if test -z "$(DESTDIR)" && test "$$(id -u)" = 0; then ldconfig || true; fi

uninstall:
	$(Q)printf '%s\n' "$$INSTALLED" | while read -r dir file mode; do \
	    test -n "$$dir" || continue; \
	    rm -f "$(DESTDIR)$$dir/$${file##*/}"; \
	done
	$(Q)for l in libbyre $(LIBRARIES); do \
	    rm -f "$(DESTDIR)$(libdir)/$$l.so.$(SOVERSION)" "$(DESTDIR)$(libdir)/$$l.so"; \
	done
	$(Q)rmdir "$(DESTDIR)$(libexecdir)"/byre/*/ "$(DESTDIR)$(libexecdir)/byre" 2>/dev/null || true

# ---- lint ----------------------------------------------------------------------------------------

in_parts    = $(patsubst $(srcdir)/%,%,$(shell cd $(srcdir) && find $(wildcard $(PARTS)) $(1) | sort))
LINT_C      = $(call in_parts,-name '*.c')
LINT_H      = $(call in_parts,-name '*.h')
# Shell scripts are what says so in its first line, and what they read in.
LINT_SH     = $(shell cd $(srcdir) && grep -rlE '^\#!.*\b(ba)?sh$$|^\# shellcheck shell=' \
                  $(wildcard $(PARTS)) .ci | sort)
LINT_FLAGS  = $(BYRE_CPPFLAGS) -I$(srcdir)/runtime -I$(srcdir)/tests/support -DBYRE_LIBEXECDIR=\"\" -DBYRE_BINDIR=\"\" -DBYRE_MPIRUN=\"\" \
              $(call system,$(MPI_CFLAGS) $(CHECK_CFLAGS) $(TIRPC_CFLAGS)) -std=gnu11 \
              -I$(srcdir)/rpc/gen $(sort $(patsubst %/,-I%,$(dir $(GENERATED_H))))

.PHONY: lint lint-tidy lint-cppcheck lint-shell lint-spell lint-format format
lint: lint-format lint-shell lint-spell lint-cppcheck lint-tidy

lint-tidy: config.h $(GENERATED_H)
	$(say) TIDY "$(words $(LINT_C)) files"
	$(Q)printf '%s\n' $(LINT_C:%=$(srcdir)/%) | xargs -P $$(nproc) -I{} sh -c \
	    'out=$$(clang-tidy --quiet {} -- $(LINT_FLAGS) 2>/dev/null) || { printf "%s\n" "$$out"; exit 1; }'

lint-cppcheck:
	$(say) CPPCHECK
	$(Q)cd $(srcdir) && cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --suppress=missingIncludeSystem --suppress=readdirCalled --library=posix,gnu -D_GNU_SOURCE -D__linux__ -D__x86_64__ \
	    -I. -Iruntime -Itests/support $(INCDIRS:%=-I%) -j $$(nproc) $(LINT_C)

lint-shell:
	$(say) SHELLCHECK
	$(Q)cd $(srcdir) && shellcheck $(LINT_SH)

lint-spell:
	$(say) CODESPELL
	$(Q)cd $(srcdir) && codespell $(wildcard *.md) Makefile configure.ac $(wildcard $(PARTS))

lint-format:
	$(say) FORMAT
	$(Q)cd $(srcdir) && clang-format --dry-run --Werror $(LINT_C) $(LINT_H)

format:
	$(Q)cd $(srcdir) && clang-format -i $(LINT_C) $(LINT_H)

# ---- dist, clean, help ---------------------------------------------------------------------------

DISTNAME := byre-$(VERSION)
DISTDIR  := .

.PHONY: dist clean distclean help
# What is committed, and a configure that needs no autoconf.
dist: config.mk
	@git -C $(srcdir) rev-parse HEAD >/dev/null || { echo "make dist needs the git repository" >&2; exit 1; }
	@git -C $(srcdir) diff --quiet HEAD || echo "  note: changes that are not committed stay out"
	$(say) DIST $(DISTNAME).tar.gz
	$(Q)out=$(abspath $(DISTDIR))/$(DISTNAME).tar.gz && cd $(srcdir) && git archive --format=tar.gz --prefix=$(DISTNAME)/ \
	    --add-file=configure --add-file=config.h.in -o "$$out" HEAD

clean:
	rm -rf obj obj-asan obj-tsan bin lib $(filter-out obj,$(OBJ))

distclean: clean
	rm -rf config.mk config.h config.log config.status byre.pc autom4te.cache byre-*.tar.gz
	@test "$(srcdir)" = . || rm -f Makefile
	@test "$(srcdir)" != . || ! test -d .git || rm -f configure config.h.in

help:
	@sed -n 's/^#H //p' $(srcdir)/Makefile

#H make                 build libraries, commands, benchmarks, examples (configures first if need be)
#H make check           build and run all tests; TESTS='mpi/*' chooses, FULL=1 adds the slow ones
#H make lab-check       jobs on several nodes, in a lab of network namespaces; takes root
#H make check-model     the coherence protocol of dsm, in a model checker
#H make asan-check      the tests with AddressSanitizer and UndefinedBehaviorSanitizer
#H make tsan-check      the tests with ThreadSanitizer
#H make lint            clang-tidy, cppcheck, shellcheck, codespell, clang-format
#H make format          let clang-format rewrite the sources
#H make install         DESTDIR=... prefix=... as usual; make uninstall takes it back
#H make dist            byre-VERSION.tar.gz
#H make clean           remove what make made; make distclean: also what configure made
#H
#H V=1 shows the commands. BYRE_TEST_NP="1 2" sets the numbers of ranks for the MPI tests.
