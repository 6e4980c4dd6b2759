#!/usr/bin/env bash
# pip 26.3, uv 0.13.9.
# A page in JSON (PEP 691) gives a file's name in `filename` and its address in `url`; nothing says that the address ends
# with the name. Here it ends with a number, as storage by ID has it.
# Behaviour: pip takes the name from the end of the address, and so does not see the file. uv takes `filename`.
# Seen: pip: No matching distribution found for numbered; uv: numbered-1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install pip==26.3 uv==0.13.9
digest=$(release wheel numbered 1.0)
mv "$served/files/numbered-1.0-py3-none-any.whl" "$served/files/4711"
page numbered index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "numbered", "files": [
 {"filename": "numbered-1.0-py3-none-any.whl", "url": "../../files/4711", "hashes": {"sha256": "$digest"}}]}
EOF
serve
"$bin/python" -m pip install --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" numbered \
    >"$work/said" 2>&1 || true
expect "pip says" "$(grep -o 'No matching distribution found for numbered' "$work/said")" \
    "No matching distribution found for numbered"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" numbered
expect "uv installs" "$(took "$work/uv" numbered)" "numbered-1.0"
