#!/usr/bin/env bash
# libbyre.so exports exactly what the installed headers declare, under a soname; libbyre.a defines no
# global name outside byre_.
. "$(dirname "$0")/../lib.sh"

bad=0
# none WHAT: complain about every line of the input.
none() {
    local line
    while read -r line; do
        printf '%s: %s\n' "$1" "$line" >&2
        bad=1
    done
}

[ -e "$BYRE_LIB/libbyre.so" ] || fail "$BYRE_LIB/libbyre.so is missing"
public_functions >"$WORK/declarations" || fail "a header does not compile"
while read -r _ _ declaration; do
    function_name "$declaration"
done <"$WORK/declarations" | sort -u >"$WORK/declared"

"$NM" -D --defined-only "$BYRE_LIB/libbyre.so" |
    awk '$2 != "A" { sub(/@.*/, "", $3); print $2, $3 }' >"$WORK/dynamic"
awk '$1 ~ /[TWi]/ { print $2 }' "$WORK/dynamic" | sort -u >"$WORK/exported"
awk '$1 !~ /[TWi]/ { print $2 }' "$WORK/dynamic" | sort -u >"$WORK/data"

none "exported, but not a public name" < <(awk '$2 !~ /^byre_[a-z]/ { print $2 }' "$WORK/dynamic")
none "exported, but declared in no installed header" < <(comm -23 "$WORK/exported" "$WORK/declared")
none "declared in an installed header, but not exported" < <(comm -13 "$WORK/exported" "$WORK/declared")
while read -r name; do
    (cd "$BYRE_SRCDIR" && grep -qw "$name" "${headers[@]}") || echo "$name"
done <"$WORK/data" >"$WORK/undeclared"
none "exported variable, but declared in no installed header" <"$WORK/undeclared"
none "global name of libbyre.a outside byre_" < <("$NM" -g --defined-only "$BYRE_LIB/libbyre.a" 2>/dev/null |
    awk 'NF == 3 && $3 !~ /^byre_/ { print $3 }' | sort -u)
none "internal name in an installed header" < <(cd "$BYRE_SRCDIR" && grep -Hn '\bbyre__' "${headers[@]}")

found=$(LC_ALL=C objdump -p "$BYRE_LIB/libbyre.so" | awk '$1 == "SONAME" { print $2 }')
# shellcheck disable=SC2153 # SONAME comes from the Makefile
expect "soname of libbyre.so" "$SONAME" "$found"
exit $bad
