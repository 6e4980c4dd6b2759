# Run by sh -c with: "keep" or "back", home of the index, its Compose project, NGINX's files by their paths below nginx/.
# shellcheck shell=sh
# .previous/ has the files of the last stack that was proved; its images have a name of their own, so that a tag that moves or
# is removed does not take them away. Logins and certificates are not among them: going back revives nothing that was revoked.
set -eu
cd "$2"
image() { echo "wheelhouse/previous:$project.$1"; }
project=$3

if [ "$1" = keep ]; then
    containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False)
    [ -n "$containers" ] || exit 0
    rm -rf .previous.new
    mkdir -m 0700 .previous.new
    for name in docker-compose.yml nginx pypiserver directory bridge; do
        [ ! -e "$name" ] || cp -a "$name" .previous.new/
    done
    rm -rf .previous.new/nginx/tls
    # shellcheck disable=SC2086 # several words
    docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Image}} {{.Config.Image}}' $containers |
        sort -u >.previous.new/images
    while read -r service id _; do
        docker tag "$id" "$(image "$service")"
    done <.previous.new/images
    rm -rf .previous
    mv .previous.new .previous
    rm -f .unproved
    exit 0
fi

[ -d .previous ] || exit 0
for folder in nginx pypiserver directory bridge; do
    [ -d ".previous/$folder" ] && [ -d "$folder" ] || continue
    cp -a --remove-destination ".previous/$folder/." "$folder/"
done
# What the refused stack has and the other had not. In nginx/ by name: what people put beside ours is theirs.
for name in $4 public_ca.pem public_logins.conf; do
    [ -e ".previous/nginx/$name" ] || rm -f "nginx/$name"
done
(cd pypiserver && find . -type f) | while read -r name; do
    [ -e ".previous/pypiserver/$name" ] || rm -f "pypiserver/$name"
done
# By the kept name where the one in the Compose file is missing, or another image by now.
cp -a .previous/docker-compose.yml .previous.new.yml
while read -r service id name; do
    [ "$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null)" = "$id" ] ||
        sed -i "s|^\( *image: \)$name\$|\1$(image "$service")|" .previous.new.yml
done <.previous/images
mv .previous.new.yml docker-compose.yml
sed -n 's/^return 200 \(.*\);$/\1/p' nginx/revision.conf
cat docker-compose.yml
