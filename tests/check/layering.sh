#!/usr/bin/env bash
# Who may include whom (CONTRIBUTING.md, "Layers"):
#   1. in the library's parts only runtime/transport_mpi.c includes mpi.h; dsm/pmpi, which wraps MPI's
#      own calls, is a library beside it, and includes installed headers of Byre only
#   2. an installed header includes standard headers and installed headers, and nothing else
#   3. dsm, rpc and sched do not include one another; runtime includes none of them
. "$(dirname "$0")/../lib.sh"

cd "$BYRE_SRCDIR" || exit 1
bad=0
complain() {
    printf '%s\n' "$1" >&2
    bad=1
}

# includes FILE...: FILE:LINE:HEADER with its quotes or brackets
includes() {
    grep -HnE '^[[:space:]]*#[[:space:]]*include' "$@" </dev/null |
        sed 's/[[:space:]]*#[[:space:]]*include[[:space:]]*//'
}

library_parts="runtime dsm rpc sched"
for part in $library_parts; do
    [ -d "$part" ] || continue
    mapfile -t files < <(find "$part" -name '*.[ch]' | sort)
    [ ${#files[@]} -gt 0 ] || continue
    while IFS=: read -r file line header; do
        name=$(sed 's/^[<"]\([^>"]*\)[>"].*/\1/' <<<"$header")
        case $name in
        mpi.h | mpi-ext.h | mpi_portable_platform.h)
            case $file in
            runtime/transport_mpi.c | dsm/pmpi/*) ;;
            *) complain "$file:$line: includes $name; only runtime/transport_mpi.c may" ;;
            esac ;;
        esac
        case $file in
        dsm/pmpi/*)
            [[ $header = '<'* || $header = '"pmpi.h"'* ]] ||
                complain "$file:$line: dsm/pmpi includes $name: it is not a part of libbyre" ;;
        esac
        for other in dsm rpc sched; do
            [ "$other" != "$part" ] || continue
            # The umbrella header names all parts: that is what it is for.
            [ "$file" != runtime/include/byre.h ] || continue
            case $name in
            "$other"/* | *../"$other"/* | byre_"$other".h | byre_"$other"_*.h)
                complain "$file:$line: $part includes $name of $other" ;;
            esac
        done
    done < <(includes "${files[@]}")
done

for h in "${headers[@]}"; do
    while IFS=: read -r file line header; do
        case $header in
        '<byre'*.h'>'*)
            name=$(sed 's/^<\([^>]*\)>.*/\1/' <<<"$header")
            grep -qw "$name" <<<"$BYRE_HEADERS" ||
                complain "$file:$line: includes $name, which is not installed" ;;
        '<mpi'* | '<hwloc'* | '<numa'* | '<ck_'* | '<pthread.h>'*)
            complain "$file:$line: an installed header includes $header" ;;
        '<'*) ;;
        *) complain "$file:$line: an installed header includes $header: write <byre_x.h>" ;;
        esac
    done < <(includes "$h")
done
exit $bad
