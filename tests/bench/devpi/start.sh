# Run by sh as root in the folder's copy on the host, with that folder. Makes devpi's state and NGINX's configuration by
# devpi's own commands, and starts both.
# shellcheck shell=sh
set -eu
cd "$1"
devpi() {
    code=$1
    shift
    docker run --rm --network=none --user=0:0 --env=PYTHONPATH=/srv/devpi/python --workdir=/srv/devpi/made \
        --volume="$PWD/python:/srv/devpi/python:ro" --volume="$PWD/server:/srv/devpi/server" --volume="$PWD/made:/srv/devpi/made" \
        --entrypoint=python3 pypiserver/pypiserver:v2.4.2 -c "$code" --serverdir=/srv/devpi/server "$@"
}
mkdir -p server made nginx
[ -e server/.serverversion ] || devpi 'from devpi_server.init import init; init()' --no-root-pypi --root-passwd=bench
[ -e made/gen-config ] || devpi 'from devpi_server.genconfig import genconfig; genconfig()'
cp made/gen-config/nginx-devpi.conf nginx/
# NGINX's user reads devpi's files.
chmod -R a+rX server
docker compose --progress quiet up --detach --pull never
