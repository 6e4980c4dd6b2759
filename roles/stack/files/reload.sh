# Run by sh -c with: the Compose project, the revision that NGINX and auth are to have loaded, "changed" where this run has
# changed what they read (else "same"), "reload" or "check". Ends with 3 where NGINX refuses the files, and none is loaded.
# shellcheck shell=sh
# Each says itself which revision it has loaded, so a reload that did not take is seen, and a run that died between writing
# the files and the reload is made good by the next one.
set -eu

# Without containers of `docker compose run`.
of() {
    docker ps --quiet --filter "label=com.docker.compose.project=$1" --filter "label=com.docker.compose.service=$2" \
        --filter label=com.docker.compose.oneoff=False
}
command -v docker >/dev/null || exit 0
# Containers may run without their engine (live-restore), with the logins that they have loaded.
if ! nginx=$(of "$1" nginx 2>/dev/null); then
    [ "$4" = reload ] || exit 0
    echo "The files are written, and Docker does not answer: NGINX may not have loaded them. Start Docker, then run again." >&2
    exit 1
fi
auth=$(of "$1" auth)
# A stack that was stopped by hand reads its files when it starts.
[ -n "$nginx$auth" ] || exit 0
if [ -z "$nginx" ] || [ -z "$auth" ]; then
    # Of a whole run: it would start the other before.
    [ "$4" = reload ] || exit 0
    echo "The files are written but not loaded: only one of nginx and auth is running. Run wheelhouse.pypi.site to start the other." >&2
    exit 1
fi

revision() { docker exec "$1" curl --silent --show-error --max-time 5 "http://127.0.0.1:$2/health" 2>/dev/null || :; }
loaded() { [ "$(revision "$nginx" 8081)" = "$1" ] && [ "$(revision "$auth" 8080)" = "$1" ]; }

[ "$3" = changed ] || ! loaded "$2" || exit 0
if [ "$4" = check ]; then
    echo 'would reload'
    exit 0
fi
# A file may have been put beside ours since ours were checked.
for one in "$nginx nginx" "$auth auth"; do
    if ! refusal=$(docker exec "${one% *}" nginx -t -q -c "/etc/pypi-nginx/${one#* }.conf" 2>&1); then
        echo "NGINX refuses the files in nginx/ of the index, and keeps the configuration that it has loaded. Fix or remove what it names:" >&2
        printf '%s\n' "$refusal" >&2
        exit 3
    fi
done
docker exec "$auth" nginx -c /etc/pypi-nginx/auth.conf -s reload
docker exec "$nginx" nginx -c /etc/pypi-nginx/nginx.conf -s reload
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if loaded "$2"; then
        echo reloaded
        exit 0
    fi
    sleep 1
done
for container in "$nginx" "$auth"; do
    docker inspect --format '{{slice .Name 1}} was asked to reload, and its log ends:' "$container" >&2
    # Not `docker compose logs`, which writes terminal codes even when asked not to.
    docker logs --tail=20 "$container" >&2
done
exit 1
