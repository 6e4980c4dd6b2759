#!/usr/bin/env bash
# uv 0.13.9.
# `uv audit` asks a service about vulnerabilities, and the index about the status of each locked project (PEP 792: archived, deprecated,
# quarantined). A release that is in a lock file may be yanked later (PEP 592).
# Behaviour: a quarantined project is shown, and the exit code is 0, where a vulnerability gives 1. A yanked release is not shown, though
# uv has read its page. Where the index refuses the pages, as to who has no login, uv reports no adverse status, without a warning.
# Seen: quarantined: "app is quarantined: malware", code 0; yanked: nothing, code 0; pages refused: no adverse project statuses, code 0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel app 1.0)
# app_page MORE FILE: the page, with further keys of its own and of its file.
app_page() {
    page app index.json <<EOF
{"meta": {"api-version": "1.4"}, "name": "app", "versions": ["1.0"], $1 "files": [
 {"filename": "app-1.0-py3-none-any.whl", "url": "../../files/app-1.0-py3-none-any.whl", "size": 900, $2
  "hashes": {"sha256": "$digest"}}]}
EOF
}
install uv==0.13.9
# The service: knows of no vulnerability.
python3 - "$work" <<'EOF' &
import http.server, json, pathlib, sys
class Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        body = json.dumps({"results": [{} for _ in queries]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Service)
part = pathlib.Path(sys.argv[1]) / "service.part"
part.write_text(str(server.server_port))
part.rename(part.with_suffix(".port"))
server.serve_forever()
EOF
service=$!
trap 'kill "$service" 2>/dev/null || true; finish' EXIT
app_page "" ""
serve
for _ in $(seq 100); do
    if [ -e "$work/service.port" ]; then break; fi
    sleep 0.1
done
mkdir "$work/wants"
cat >"$work/wants/pyproject.toml" <<EOF
[project]
name = "wants"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["app"]

[[tool.uv.index]]
url = "$base/simple/"
default = true
EOF
# uv reads the project's settings, and none of this machine's user.
unset UV_NO_CONFIG UV_OFFLINE UV_EXCLUDE_NEWER
export XDG_CONFIG_HOME=$work/none XDG_CONFIG_DIRS=$work/none
(cd "$work/wants" && "$bin/uv" lock --quiet --python "$bin/python")
# audit: what it says of statuses, and its exit code.
audit() {
    local code=0
    (cd "$work/wants" && "$bin/uv" audit --frozen --service-url "http://127.0.0.1:$(cat "$work/service.port")") >"$work/said" 2>&1 || code=$?
    printf '%s; code %s' "$(grep -v '^warning: .uv audit. is experimental' "$work/said" | grep . | paste -sd ' ')" "$code"
}
none="Found no known vulnerabilities and no adverse project statuses in 1 package; code 0"
app_page '"project-status": {"status": "quarantined", "reason": "malware"},' ""
expect "of a quarantined project" "$(audit)" \
    "Found no known vulnerabilities and 1 adverse project status in 1 package Adverse statuses: - app is quarantined: malware; code 0"
app_page "" '"yanked": "loses data on Tuesdays",'
: >"$served/requests"
expect "of a yanked release" "$(audit)" "$none"
expect "it has read the page" "$(grep -c 'GET /simple/app/ 200' "$served/requests")" "1"
app_page '"project-status": {"status": "quarantined", "reason": "malware"},' ""
kill "$server"
rm "$served/port"
old=$base
export LOGIN=reader:secret
serve
sed -i "s|$old|$base|" "$work/wants/pyproject.toml" "$work/wants/uv.lock"
: >"$served/requests"
expect "without the login that the index now asks for" "$(audit)" "$none"
expect "it was refused" "$(grep -c 'GET /simple/app/ 401' "$served/requests")" "1"
