# scripts: subcommands of byre that are scripts, and bash completion.

LIBEXECS    += $(filter-out %.in,$(call sources,scripts/byre-*))
COMPLETIONS := $(call sources,scripts/completion/*)
