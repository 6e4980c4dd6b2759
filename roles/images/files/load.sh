# Run by sh -c with: a file that docker save made, and the images that are to be in it. Prints which are missing afterwards.
# shellcheck shell=sh
set -eu
docker load --quiet --input "$1"
for image in $2; do
    docker image inspect "$image" >/dev/null 2>&1 || echo "missing $image"
done
