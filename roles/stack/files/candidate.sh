# Run by sh -c with: "up" or "down", home of the index, its Compose project, that of the candidate; "up" then with the service
# account as uid:gid, how many seconds the containers may take, and the text of up.sh; the Compose file on stdin.
# up: starts the stack of this run beside the one that serves, with its files and logins, and folders of its own for what it
# writes. Prints where it answers; nothing if none serves, or none was proved before.
# shellcheck shell=sh
set -eu
cd "$2"
# No variable of the environment: Ansible would put in the value that it has there.
of() { docker "$@" --quiet --filter "label=com.docker.compose.project=$project"; }

# Also what a killed run has left.
project=$4
of ps --all | xargs --no-run-if-empty docker rm --force --volumes >/dev/null
of network ls | xargs --no-run-if-empty docker network rm >/dev/null
rm -rf .candidate
[ "$1" = up ] || exit 0

project=$3
[ -d .previous ] && [ -n "$(of ps --filter label=com.docker.compose.service=nginx)" ] || exit 0
project=$4
mkdir -m 0700 .candidate
for name in nginx authentication pypiserver directory bridge; do
    [ ! -e "$name" ] || ln -s "../$name" .candidate/
done
cd .candidate
umask 077
# What pages, a file and its metadata are proved with.
mkdir packages index logs nginx_cache sockets sockets/nginx sockets/packages sockets/bridge wheelhouse_candidate-0
printf 'Metadata-Version: 2.2\nName: wheelhouse-candidate\nVersion: 0\n' >wheelhouse_candidate-0/PKG-INFO
tar -czf packages/wheelhouse_candidate-0.tar.gz wheelhouse_candidate-0
chown -R "$5" packages index logs nginx_cache sockets
sh -c "$7" up.sh "$project" "$2/.candidate" "$6" up same >/dev/null
# 8443/tcp -> 127.0.0.1:32768
nginx=$(of ps --all --filter label=com.docker.compose.service=nginx)
address=$(docker port "$nginx" || :)
if [ -z "$address" ]; then
    echo "NGINX has ended right after its start. Its last lines:" >&2
    docker logs --tail 20 "$nginx" >&2
    exit 1
fi
echo "${address##* }"
