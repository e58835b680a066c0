# docs: man pages.

MANPAGES += $(call sources,docs/man/*.[1-9])
