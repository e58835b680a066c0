#!/usr/bin/env bash
# Every function of an installed header has a docstring directly before it that says what is
# returned (@return) and from where it may be called (@threads).
. "$(dirname "$0")/../lib.sh"

public_functions >"$WORK/functions" || fail "a header does not compile"

# docstring FILE LINE: the /** comment that ends on the line before the declaration at LINE.
docstring() {
    awk -v line="$2" '
        NR <= line { text[NR] = $0 }
        NR == line { exit }
        END {
            # A declaration may begin above the line with its name.
            for (i = line - 1; i > 0 && text[i] !~ /\*\/[ \t]*$/; i--)
                if (text[i] ~ /^[ \t]*$|[;}{][ \t]*$|^#/) exit
            last = i
            while (i > 0 && text[i] !~ /\/\*/) i--
            if (text[i] !~ /^[ \t]*\/\*\*/) exit
            for (; i <= last; i++) print text[i]
        }' "$BYRE_SRCDIR/$1"
}

bad=0
while read -r file line declaration; do
    name=$(function_name "$declaration")
    doc=$(docstring "$file" "$line")
    missing=
    if [ -z "$doc" ]; then
        missing=" docstring"
    else
        case $declaration in
        "void byre_"*) ;;
        *) grep -q '@return' <<<"$doc" || missing+=" @return" ;;
        esac
        grep -q '@threads' <<<"$doc" || missing+=" @threads"
    fi
    if [ -n "$missing" ]; then
        printf '%s:%s: %s: missing:%s\n' "$file" "$line" "$name" "$missing" >&2
        bad=1
    fi
done <"$WORK/functions"
exit $bad
