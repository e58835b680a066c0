#!/usr/bin/env bash
# Every installed header compiles alone, without a warning, as C11 and as C++17.
. "$(dirname "$0")/../lib.sh"

[ "$CXX" != no ] || skip "no C++ compiler"

bad=0
for h in "${headers[@]}"; do
    name=${h##*/}
    # Twice: the include guard works. The last line keeps pedantic compilers from an empty unit.
    printf '#include <%s>\n#include <%s>\nextern int byre_unit;\n' "$name" "$name" >"$WORK/h.c"
    cp "$WORK/h.c" "$WORK/h.cc"
    "$CC" -std=c11 -Wall -Wextra -Wundef -Werror -pedantic "${includes[@]}" -fsyntax-only "$WORK/h.c" || {
        echo "$h does not compile alone as C11" >&2
        bad=1
    }
    "$CXX" -std=c++17 -Wall -Wextra -Wundef -Werror -pedantic "${includes[@]}" -fsyntax-only "$WORK/h.cc" || {
        echo "$h does not compile alone as C++17" >&2
        bad=1
    }
done
exit $bad
