# Run by sh -c with: the Compose project, a command of the index ("yank", "removed"), and perhaps a word for it ("--check"). What is meant
# comes on standard input, and the answer is a line of JSON (wheelhouse_index/commands/).
# shellcheck shell=sh
set -eu

stop() {
    printf '{"stop": "%s"}\n' "$1"
    exit 1
}
# One of the replicas: they share the packages, and a lock.
containers=$(docker ps --quiet --filter status=running --filter "label=com.docker.compose.project=$1" \
    --filter label=com.docker.compose.service=pypi-server --filter label=com.docker.compose.oneoff=False 2>/dev/null) ||
    stop "Docker does not answer on this host: nothing was changed. Start it, then run this again"
container=$(printf '%s\n' "$containers" | head -n 1)
[ -n "$container" ] || stop "pypi_instance: the index $1 does not run on this host; run wheelhouse.pypi.site first"

status=0
answer=$(docker exec --interactive "$container" python3 -m wheelhouse_index "$2" ${3:+"$3"}) || status=$?
case $answer in
'{'*'}') printf '%s\n' "$answer" ;;
*)
    # What Docker says of a process that it could not start comes on standard output.
    [ -z "$answer" ] || printf '%s\n' "$answer" >&2
    echo "The run in the container ended with $status, and did not say what it has done. Run it again: what is done stays." >&2
    [ "$status" != 0 ] || status=1
    ;;
esac
exit "$status"
