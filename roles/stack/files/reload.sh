# Run by sh -c with: home of the index, the revision that NGINX is to have loaded, "reload" or "check".
# shellcheck shell=sh
# NGINX itself tells which revision it runs, so a reload that did not take is seen, and a run that died
# between writing the files and the reload is made good by the next one.
set -eu
cd "$1"

loaded() {
    docker compose exec -T nginx curl --silent --show-error --max-time 5 http://127.0.0.1:8081/health
}

# A stack that somebody stopped reads its files when it starts.
running=$(docker compose ps --quiet nginx)
[ -n "$running" ] || exit 0
[ "$(loaded)" != "$2" ] || exit 0
if [ "$3" = check ]; then
    echo 'would reload'
    exit 0
fi
# Somebody may have put a file of his own beside ours since ours were checked.
if ! refusal=$(docker compose exec -T nginx nginx -t -q -c /etc/pypi-nginx/nginx.conf 2>&1); then
    echo "NGINX refuses the files in $1/nginx, and goes on with what it has loaded. Mend or remove what it names:" >&2
    printf '%s\n' "$refusal" >&2
    exit 1
fi
docker compose exec -T auth nginx -c /etc/pypi-nginx/auth.conf -s reload
docker compose exec -T nginx nginx -c /etc/pypi-nginx/nginx.conf -s reload
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if [ "$(loaded)" = "$2" ]; then
        echo reloaded
        exit 0
    fi
    sleep 1
done
echo 'NGINX was told to reload, and still runs its old configuration. It says:' >&2
# Not `docker compose logs`, which writes terminal codes whatever it is told.
docker logs --tail=20 "$running" >&2
exit 1
