# Run by sh -c with: the Compose project, its folder, how many seconds its containers may take, "up" or "check", "changed" where
# this run has changed files that they read (else "same"), for how many seconds the health address says before that this node is
# not to be used (none for a host alone), and which other nodes are not well (nothing where one is); the Compose file on stdin, as
# the controller made it: what lies in the folder by then is not asked.
# shellcheck shell=sh
set -eu
project=$1 folder=$2 limit=$3
dry=
drain=${6:-0}
if [ "$4" = check ]; then
    dry=--dry-run
    drain=0
fi
if [ -n "$dry" ] || [ "$drain" -gt 0 ]; then
    # Compose (2.26) writes a builder's files below ~/.docker for a dry run.
    BUILDX_CONFIG=$(mktemp -d)
    export BUILDX_CONFIG
    trap 'rm -rf "$BUILDX_CONFIG"' EXIT
fi
file=$(cat)

# Without containers of `docker compose run`: one that has exited is no service that is unwell.
ours() {
    docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False
}
state_of() { docker inspect --format '{{.State.Status}}{{with .State.Health}} ({{.Status}}){{end}}' "$1" 2>/dev/null; }
# The engine's first health check is seconds away: what starts is asked by the same command now.
passes() (
    command=$(docker inspect --format '{{range slice .Config.Healthcheck.Test 1}}{{println .}}{{end}}' "$1")
    set -f
    IFS='
'
    # shellcheck disable=SC2086 # a word on each line
    timeout 10 docker exec "$1" $command >/dev/null 2>&1
)
is_well() {
    case $2 in
    'running (healthy)') ;;
    'running (starting)') passes "$1" ;;
    *) false ;;
    esac
}

# Says what is not well, a line for each container; empty where all are.
unwell() {
    for container in $(ours); do
        state=$(state_of "$container") || continue
        is_well "$container" "$state" || docker inspect --format "{{slice .Name 1}} is $state" "$container" || :
    done
}

# shellcheck disable=SC2086 # no word or one
compose_up() {
    printf '%s\n' "$file" | docker compose --ansi never --project-name "$project" --project-directory "$folder" \
        --env-file /dev/null --file - $1 up --detach --pull never --remove-orphans 2>&1
}
changes() { grep -qE ' (Created|Recreated|Started|Removed) *$'; }
serves() { docker ps --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=nginx; }

# Balancers leave this node before its containers are replaced. Until a run has proved it, it stays so.
if [ "$drain" -gt 0 ] && [ -n "$(serves)" ] && compose_up --dry-run | changes; then
    if [ -n "${7-}" ]; then
        echo "Containers have to be replaced, and no other node is well that would serve meanwhile ($7: GET /health)." \
            "No container was changed. Run for another node first (--limit), or do without: --extra-vars pypi_drain=0s" >&2
        exit 1
    fi
    mark=$folder/nginx/drained own=$$.$(date +%s) age=0
    [ ! -e "$mark" ] || age=$(($(date +%s) - $(stat --format %Y "$mark")))
    echo "$own" >"$mark"
    [ "$age" -ge "$drain" ] || sleep "$((age < 0 ? drain : drain - age))"
    if [ "$(cat "$mark" 2>/dev/null)" != "$own" ]; then
        # This one was cut off on the controller.
        echo "Another run has taken over while this node was drained; this one has changed no container." >&2
        exit 1
    fi
    echo drained
fi

# From before the first change until the stack is proved: the next run proves what a killed one has not.
unproved=$folder/.unproved
proved=$([ -e "$unproved" ] || echo yes)
[ -n "$dry" ] || touch "$unproved"
began=$(date +%s)
if ! said=$(compose_up "$dry"); then
    echo "Compose could not start the containers. It says:" >&2
    printf '%s\n' "$said" | tail -n 20 | sed 's/^/    /' >&2
else
    printf '%s\n' "$said"
    [ -z "$dry" ] || exit 0
    # Not by Compose's --wait, which gives up on a container that is being restarted.
    while left=$(unwell) && [ -n "$left" ] && [ $(($(date +%s) - began)) -lt "$limit" ]; do
        sleep 0.5
    done
    if [ -z "$left" ]; then
        if [ "$proved$5" = yessame ] && ! printf '%s\n' "$said" | changes; then
            rm -f "$unproved" "$folder/.newer"
        else
            echo unproved
        fi
        exit 0
    fi
    echo "The containers are not healthy after $(($(date +%s) - began)) s; pypi_start_timeout is $limit s. Waited for:" >&2
    printf '%s\n' "$left" | sed 's/^/    /' >&2
fi
for container in $(ours); do
    state=$(state_of "$container") || continue
    ! is_well "$container" "$state" || continue
    docker inspect --format "{{slice .Name 1}} is $state, and its log ends:" "$container" >&2
    # Not `docker compose logs`, which writes terminal codes even when asked not to.
    docker logs --tail 20 "$container" 2>&1 | sed 's/^/    /' >&2
done
exit 1
