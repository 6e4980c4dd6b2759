# Run by sh -c with: the Compose project. Names each container that is not well, and shows its last lines.
# shellcheck shell=sh
set -eu
for container in $(docker ps --all --quiet --filter "label=com.docker.compose.project=$1"); do
    state=$(docker inspect --format '{{.State.Status}}{{with .State.Health}} ({{.Status}}){{end}}' "$container")
    [ "$state" != 'running (healthy)' ] || continue
    docker inspect --format "{{slice .Name 1}} is $state, and its log ends:" "$container"
    # Not `docker compose logs`, which writes terminal codes whatever it is told.
    docker logs --tail 20 "$container" 2>&1 | sed 's/^/    /'
done
