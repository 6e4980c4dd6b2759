# Run by sh -s as root, with: account, home of the index. Back to a host that has an engine and nothing else.
# shellcheck shell=sh
set -eu
[ ! -e "$2/docker-compose.yml" ] || docker compose --progress quiet --project-directory "$2" down --volumes
docker image prune --all --force >/dev/null
! id "$1" >/dev/null 2>&1 || userdel --remove "$1" 2>/dev/null
rm -rf "${2:?}"
