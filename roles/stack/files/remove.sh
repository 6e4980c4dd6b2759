# Run by sh -c with: home of the index, "data" or "no-data", "check" or "remove", the Compose project, NGINX's files
# by their paths below it.
# shellcheck shell=sh
# Takes our own files by name: what people put beside them is theirs. A folder may be a link of root's to another disk, which
# is emptied too, or a mount, which then stays.
set -eu

rebuilt="docker-compose.yml $5 nginx/revision.conf nginx/drained nginx/tls/certificate.pem nginx/tls/key.pem nginx/tls/authority.pem
    nginx/public_ca.pem nginx/public_logins.conf nginx_cache sockets pypiserver directory bridge index .images
    .previous .unproved .candidate .newer backup/last.json backup/drill.json backup/shown backup/cache backup/lock .drill .restore .import"
kept=
[ "$2" = no-data ] || kept='packages authentication logs'
folders='nginx nginx/conf.d nginx/tls authentication pypiserver directory bridge'

refuse_links() {
    for name in $folders backup $rebuilt $kept; do
        owner=$(stat --format '%F:%U' "$name" 2>/dev/null) || continue
        case $owner in 'symbolic link:root' | [!s]* | 'socket'*) continue ;; esac
        echo "$1/$name is a symbolic link of ${owner#*:}, and root follows none but its own: remove it, then run again." >&2
        exit 1
    done
}

if [ -d "$1" ]; then
    cd "$1"
    refuse_links "$1"
    if [ "$2" = data ] && [ -e packages/.wheelhouse/nodes ]; then
        echo "$1/packages is shared by several hosts, and pypi_remove_data would delete the packages of all; nothing was removed." \
            "Run without it and unmount the folder; if this is the only host left, remove packages/.wheelhouse/nodes." >&2
        exit 1
    fi
fi

# Containers and networks are found by the project, not by a Compose file: that may have been changed, or be missing.
# With those of a candidate that a killed run has left.
of() {
    for project in "$index" "wheelhouse-candidate-$index"; do
        docker "$@" --quiet --filter "label=com.docker.compose.project=$project" 2>/dev/null || :
    done
}
index=$4
containers=$(of ps --all)
networks=$(of network ls)
[ -z "$containers" ] || echo "removed containers"
[ -z "$networks" ] || echo "removed networks"
# shellcheck disable=SC2086 # several words
if [ "$3" = remove ]; then
    [ -z "$containers" ] || docker stop $containers >/dev/null
    [ -z "$containers" ] || docker rm --force --volumes $containers >/dev/null
    [ -z "$networks" ] || docker network rm $networks >/dev/null
fi

if [ "$3" = remove ]; then
    # The names by which images are kept; those that the inventory names stay.
    docker image ls --format '{{.Repository}}:{{.Tag}}' wheelhouse/previous 2>/dev/null | grep "^wheelhouse/previous:$4[.]" |
        xargs --no-run-if-empty docker image rm >/dev/null || :
fi

[ -d "$1" ] || exit 0
if [ "$3" = remove ]; then
    # From the top down: what the account cannot write to any more is where the next name is looked for.
    for folder in . $folders; do
        [ -d "$folder" ] && [ ! -L "$folder" ] || continue
        chown root "$folder"
        chmod go-w "$folder"
    done
    refuse_links "$1"
fi

for name in $rebuilt $kept; do
    [ -e "$name" ] || continue
    # All that an earlier removal could leave of it.
    [ -n "$(ls -A "$name")" ] || ! mountpoint -q "$name" || continue
    echo "removed $name"
    [ "$3" = remove ] || continue
    if [ -d "$name" ]; then
        find -H "$name" -mindepth 1 -delete
    fi
    if [ -d "$name" ] && [ ! -L "$name" ]; then
        rmdir "$name" 2>/dev/null || :
    else
        rm "$name"
    fi
done
[ "$3" = remove ] || exit 0
# What a killed run left of a set of files.
rm -rf .staged-* nginx/.staged-* .previous.new .previous.old
rmdir nginx/conf.d nginx/tls nginx backup 2>/dev/null || :
cd /
[ "$2" = no-data ] || rmdir "$1" 2>/dev/null || :
[ ! -d "$1" ] || echo "left $(find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | tr '\n' ' ')"
