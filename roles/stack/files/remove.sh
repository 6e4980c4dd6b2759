# Run by sh -c with: home of the index, "data" or "no-data", "check" or "remove", the Compose project.
# shellcheck shell=sh
# Takes our own files by name: what was put beside them stays. A folder may be a link of root's to another disk, which is
# emptied too, or a mount, which then stays. Where the tree is not root's, the account could have made the link: it is removed,
# and not followed.
set -eu

# Containers and networks are found by the project, not by a Compose file: that may have been changed, or be missing.
containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$4" 2>/dev/null || :)
networks=$(docker network ls --quiet --filter "label=com.docker.compose.project=$4" 2>/dev/null || :)
[ -z "$containers" ] || echo "removed containers"
[ -z "$networks" ] || echo "removed networks"
# shellcheck disable=SC2086 # several words
if [ "$3" = remove ]; then
    [ -z "$containers" ] || docker stop $containers >/dev/null
    [ -z "$containers" ] || docker rm --force --volumes $containers >/dev/null
    [ -z "$networks" ] || docker network rm $networks >/dev/null
fi

[ -d "$1" ] || exit 0
cd "$1"
links=-P
[ "$(stat --format %u .)" != 0 ] || links=-H

rebuilt='docker-compose.yml nginx/nginx.conf nginx/auth.conf nginx/challenge.conf nginx/headers.conf nginx/listen.conf
    nginx/patient.conf nginx/refused.conf nginx/revision.conf
    nginx/conf.d/http.conf nginx/conf.d/maps.conf nginx/conf.d/pypi.conf nginx/conf.d/refusals.conf
    nginx/tls/certificate.pem nginx/tls/key.pem nginx/tls/authority.pem nginx_cache pypiserver index .images'
kept=
[ "$2" = no-data ] || kept='packages authentication logs adopted'

for name in $rebuilt $kept; do
    [ -e "$name" ] || continue
    # All that an earlier removal could leave of it.
    [ -n "$(ls -A "$name")" ] || ! mountpoint -q "$name" || continue
    echo "removed $name"
    [ "$3" = remove ] || continue
    if [ -d "$name" ]; then
        find $links "$name" -mindepth 1 -delete
    fi
    if [ -d "$name" ] && [ ! -L "$name" ]; then
        rmdir "$name" 2>/dev/null || :
    else
        rm "$name"
    fi
done
[ "$3" = remove ] || exit 0
# What a killed run left of a set of files.
rm -rf .staged-* nginx/.staged-*
rmdir nginx/conf.d nginx/tls nginx 2>/dev/null || :
cd /
[ "$2" = no-data ] || rmdir "$1" 2>/dev/null || :
[ ! -d "$1" ] || echo "left $(find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')"
