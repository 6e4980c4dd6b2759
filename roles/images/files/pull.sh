# Pulls images; run by sh -c with: user name (may be empty), registry (may be empty), images; the password on stdin.
# shellcheck shell=sh
set -eu
if [ -n "$1" ]; then
    # The login is removed with this folder, and does not stay in root's ~/.docker.
    DOCKER_CONFIG=$(mktemp -d)
    export DOCKER_CONFIG
    trap 'rm -rf "$DOCKER_CONFIG"' EXIT
    docker login --username "$1" --password-stdin ${2:+"$2"} >/dev/null
fi
for image in $3; do
    docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image"
done
