# Run by sh -s as root, with: account, its uid, home of the index. What somebody would write who needs no second run, no
# check before files go live and no answer to what is there already: the same tree, images and containers as site.yml's.
# shellcheck shell=sh
set -eu
useradd --system --uid "$2" --user-group --create-home --shell /usr/sbin/nologin "$1"
install -d -m 0700 -o "$1" -g "$1" "$3"
tar -x --same-permissions -C "$3" -f /tmp/tree.tar
chown -R "$1:$1" "$3"
docker load --quiet --input /srv/ground/stack.tar >/dev/null
docker run --rm --pull=never --network=none --read-only --tmpfs=/tmp --user="$2" --entrypoint=nginx \
    --mount="type=bind,src=$3/nginx,dst=/etc/pypi-nginx,readonly" \
    --mount="type=bind,src=$3/authentication,dst=/etc/pypi-auth,readonly" \
    --mount="type=bind,src=$3/nginx_cache,dst=/var/cache/nginx" \
    nginx:1.30 -t -q -c /etc/pypi-nginx/nginx.conf
cd "$3"
docker compose --progress quiet up --detach --pull never --wait
[ "$(curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1/)" = 401 ]
