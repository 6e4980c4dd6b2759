#!/usr/bin/env bash
# uv 0.13.9, twine 7.0.0.
# PEP 740: attestations go along with an upload. Signing tools write them beside the file, as FILE.publish.attestation.
# Behaviour: `uv publish dist/app-1.0-py3-none-any.whl` sends none, though it lies there, and does not say so. uv looks for them among
# the paths that it is given: by `dist/*` it sends them. twine --attestations refuses the first command.
# Seen: uv, by the wheel's path: published without; by dist/*: with 1; twine, by the wheel's path: nothing published
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
release wheel app 1.0 >"$work/digest"
mkdir "$work/dist"
cp "$served/files/app-1.0-py3-none-any.whl" "$work/dist"
wheel=$work/dist/app-1.0-py3-none-any.whl
# Of its form alone: neither tool verifies one.
python3 - "$(cat "$work/digest")" >"$wheel.publish.attestation" <<'EOF'
import base64, json, sys
subject = {"name": "app-1.0-py3-none-any.whl", "digest": {"sha256": sys.argv[1]}}
statement = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": "https://docs.pypi.org/attestations/publish/v1"}
text = base64.b64encode(json.dumps(statement).encode()).decode()
material = {"certificate": text, "transparency_entries": [{}]}
print(json.dumps({"version": 1, "verification_material": material, "envelope": {"statement": text, "signature": text}}))
EOF
install twine==7.0.0
twine=$bin/twine
install uv==0.13.9
# Says of each upload how many attestations came with it.
python3 - "$work" <<'EOF' &
import email, http.server, json, pathlib, sys
work = pathlib.Path(sys.argv[1])
class Upload(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + self.rfile.read(int(self.headers["Content-Length"])))
        sent = [part for part in form.get_payload() if part.get_param("name", header="Content-Disposition") == "attestations"]
        with open(work / "uploads", "a") as file:
            file.write(f"{sum(len(json.loads(part.get_payload())) for part in sent)}\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Upload)
(work / "upload-port").write_text(str(server.server_port))
server.serve_forever()
EOF
uploads=$!
trap 'kill $uploads; finish' EXIT
serve
for _ in $(seq 100); do
    if [ -s "$work/upload-port" ]; then break; fi
    sleep 0.1
done
address=http://127.0.0.1:$(cat "$work/upload-port")/
# sent COMMAND…: with how many attestations each file was published.
sent() {
    : >"$work/uploads"
    "$@" >"$work/said" 2>&1 || true
    paste -sd ' ' "$work/uploads"
}
by_uv() { sent "$bin/uv" publish --trusted-publishing never --username ci --password s --publish-url "$address" "$@"; }
expect "uv, by the wheel's path" "$(by_uv "$wheel")" "0"
expect "uv speaks of attestations" "$(grep -ci attest "$work/said" || true)" "0"
expect "uv, by dist/*" "$(by_uv "$work"/dist/*)" "1"
by_twine() { sent "$twine" upload --attestations --disable-progress-bar --username ci --password s --repository-url "$address" "$@"; }
expect "twine, by the wheel's path" "$(by_twine "$wheel")" ""
expect "twine says" "$(tr -s ' \n' ' ' <"$work/said" | grep -o 'attestation' | head -n 1)" "attestation"
expect "twine, by dist/*" "$(by_twine "$work"/dist/*)" "1"
