#!/usr/bin/env bash
# Every man page is laid out without a warning, and every public function has one.
. "$(dirname "$0")/../lib.sh"

command -v man >/dev/null || skip "man is missing (Debian: apt-get install man-db)"

# As installed: a page that only points elsewhere, as `.so man3/byre_send.3', finds its target.
cd "$WORK" || exit 1
for page in "$BYRE_SRCDIR"/docs/man/*.[1-9]; do
    mkdir -p "man${page##*.}"
    ln -s "$page" "man${page##*.}/"
done

bad=0
for page in man*/*; do
    said=$(MANROFFSEQ='' man --warnings -l "$page" 2>&1 >"$WORK/text")
    if [ -n "$said" ] || [ ! -s "$WORK/text" ]; then
        printf '%s: %s\n' "$page" "${said:-empty}" >&2
        bad=1
    fi
done

public_functions >"$WORK/functions" || fail "a header does not compile"
while read -r _ _ declaration; do
    name=$(function_name "$declaration")
    if [ ! -e "man3/$name.3" ]; then
        printf 'docs/man/%s.3 is missing: it may be one line, .so and the page that tells of it\n' "$name" >&2
        bad=1
    fi
done <"$WORK/functions"
exit $bad
