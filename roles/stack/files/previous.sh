# Run by sh -c with: a verb, home of the index, its Compose project; "back" then with NGINX's files by their paths below
# nginx/, the others with the address at which the index was asked, and whether its pages need a login ("true").
# shellcheck shell=sh
# keep: what serves, without a proof. proved: what was started and proved. loaded: NGINX's files alone, of a run that started nothing.
# back: what was kept is put back; prints that address, whether pages need a login, the revision, and the Compose file.
#
# .previous/ has the files of the last stack that was proved; its images have a name of their own, so that a tag that moves or
# is removed does not take them away. Logins and certificates are not among them: going back revives none that was revoked.
set -eu
cd "$2"
image() { echo "wheelhouse/previous:$project.$1"; }
project=$3
folders='nginx pypiserver directory bridge'
trap 'rm -rf .previous.new' EXIT
rm -rf .previous.new
# Of a run that was killed between the two moves below.
[ -d .previous ] || [ ! -d .previous.old ] || mv .previous.old .previous
rm -rf .previous.old

if [ "$1" != back ]; then
    if [ "$1" = loaded ]; then
        [ -d .previous ] || exit 0
        cp -a .previous .previous.new
        rm -rf .previous.new/nginx
        # A folder may be root's link to another disk.
        cp -a -H nginx .previous.new/
    else
        containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
            --filter label=com.docker.compose.oneoff=False)
        [ -n "$containers" ] || exit 0
        mkdir -m 0700 .previous.new
        for name in docker-compose.yml $folders; do
            [ ! -e "$name" ] || cp -a -H "$name" .previous.new/
        done
        # shellcheck disable=SC2086 # several words
        docker inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.Image}} {{.Config.Image}}' $containers |
            sort -u >.previous.new/images
        while read -r service id _; do
            docker tag "$id" "$(image "$service")"
        done <.previous.new/images
    fi
    rm -rf .previous.new/nginx/tls .previous.new/nginx/drained
    printf '%s\n' "$4" "$5" >.previous.new/asked
    # At each moment one of them is there.
    [ ! -d .previous ] || mv .previous .previous.old
    mv .previous.new .previous
    rm -rf .previous.old
    # By the next whole run, where nothing was started.
    [ "$1" != proved ] || rm -f .unproved .newer
    exit 0
fi

[ -d .previous ] || exit 0
# Nothing is replaced before all is known to be there, and has its room on the disk.
cp -a .previous .previous.new
compose=.previous.new/docker-compose.yml
while read -r service id name; do
    # A tag that was moved by a run that asked for newer images: one that does not then has what served.
    ! grep -qsxF "$name" .newer || docker tag "$id" "$name" 2>/dev/null || :
    # By the kept name where the one in the Compose file is missing, or another image by now.
    [ "$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null)" != "$id" ] || continue
    # Names may have been removed while the image is there.
    if ! docker tag "$id" "$(image "$service")" 2>/dev/null; then
        echo "The image of $service is not on this host any more: $name, $id. Load or pull it." >&2
        exit 1
    fi
    sed -i "s|^\( *image: \)$name\$|\1$(image "$service")|" "$compose"
done <.previous.new/images
# What the refused stack has and the other had not. In nginx/ by name: what people put beside ours is theirs.
for name in $4 revision.conf public_ca.pem public_logins.conf; do
    [ -e ".previous.new/nginx/$name" ] || rm -f "nginx/$name"
done
for folder in pypiserver directory bridge; do
    [ ! -d "$folder" ] || find "$folder/" ! -type d | while read -r name; do
        [ -e ".previous.new/$name" ] || rm -f "$name"
    done
done
for folder in $folders; do
    [ -d ".previous/$folder" ] || continue
    find ".previous/$folder" -type d -printf '%P\n' | while read -r name; do
        [ -d "$folder/$name" ] || {
            mkdir -m 0700 "$folder/$name"
            chown --reference ".previous/$folder/$name" "$folder/$name"
            chmod --reference ".previous/$folder/$name" "$folder/$name"
        }
    done
    find ".previous/$folder" ! -type d -printf '%P\n' | while read -r name; do
        mv -f ".previous.new/$folder/$name" "$folder/$name"
    done
done
mv -f "$compose" docker-compose.yml
rm -f .newer
cat .previous/asked
if [ -e nginx/revision.conf ]; then sed -n 's/^return 200 \(.*\);$/\1/p' nginx/revision.conf; else echo; fi
cat docker-compose.yml
