# Pulls images; run by sh -c with: user name (may be empty), registry (may be empty), images that the host lacks, images of which
# the registry has another one, home of the index; the password on stdin. Prints a line for each: "pulled", "replaced" with what was
# there, by its digest, or "kept" with the reason.
# shellcheck shell=sh
set -eu
if [ -n "$1" ]; then
    # The login is removed with this folder, and does not stay in root's ~/.docker.
    DOCKER_CONFIG=$(mktemp -d)
    export DOCKER_CONFIG
    trap 'rm -rf "$DOCKER_CONFIG"' EXIT
    # Only what is missing cannot do without.
    docker login --username "$1" --password-stdin ${2:+"$2"} >/dev/null || [ -z "$3" ]
fi
for image in $3; do
    docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" >/dev/null
    echo "pulled $image"
done
for image in $4; do
    before=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" 2>/dev/null | grep -m 1 . || :)
    # From before a tag moves until what it leads to is proved: after a run that is cut off, the next one proves it.
    # Without a folder there is no index yet.
    [ ! -d "$5" ] || echo "$image" >>"$5/.newer"
    if said=$(docker pull --quiet "$image" 2>&1); then
        echo "replaced $image $before"
    else
        echo "kept $image $(printf '%s\n' "$said" | tail -n 1)"
    fi
done
