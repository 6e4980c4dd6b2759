#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# A server may say that NAME.tar.gz is a tar file with the content coding gzip, as Apache does with `AddEncoding x-gzip .gz`. The bytes
# are those of the file. pip, uv and poetry ask for `identity`, that is without a coding.
# Behaviour: uv, poetry and PDM unpack what they receive, and no longer have the file: uv finds no gzip header, poetry and PDM another
# digest. pip keeps the bytes, and installs. From a server that says nothing of a coding all four install.
# Seen: without the header: all install; with it: pip installs; uv says "Invalid gzip header", poetry "not found in known hashes", PDM
# "HashMismatchError"
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
source_of_app "$work/tree/app-1.0"
tar --create --gzip --file "$served/files/app-1.0.tar.gz" --directory "$work/tree" app-1.0
page app index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "app", "files": [
 {"filename": "app-1.0.tar.gz", "url": "../../files/app-1.0.tar.gz",
  "hashes": {"sha256": "$(sha256sum "$served/files/app-1.0.tar.gz" | cut -d ' ' -f 1)"}}]}
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
# try HOW: install with each from a server of its own.
try() {
    local folder=$work/$1
    serve
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" app
    { "$bin/uv" pip install --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" app || true; } >"$folder/uv-said" 2>&1
    poetry_project "$folder/poetry" app
    { (cd "$folder/poetry" && "$poetry" install --no-interaction) || true; } >"$folder/poetry-said" 2>&1
    pdm_project "$folder/pdm" app
    { (cd "$folder/pdm" && "$pdm" install) || true; } >"$folder/pdm-said" 2>&1
    for tool in pip uv poetry pdm; do
        printf '%s %s\n' "$tool" "$({ took "$folder/$tool" /app-; } 2>/dev/null)"
    done | paste -sd , >"$folder/took"
    kill "$server"
    rm "$served/port"
}
try plain
expect "without a coding" "$(cat "$work/plain/took")" "pip app-1.0,uv app-1.0,poetry app-1.0,pdm app-1.0"
export CODED=1
try coded
expect "with Content-Encoding: gzip" "$(cat "$work/coded/took")" "pip app-1.0,uv nothing,poetry nothing,pdm nothing"
expect "uv says" "$(grep -o 'Invalid gzip header' "$work/coded/uv-said")" "Invalid gzip header"
expect "poetry says" "$(grep -o 'not found in known hashes' "$work/coded/poetry-said")" "not found in known hashes"
expect "pdm says" "$(grep -o HashMismatchError "$work/coded/pdm-said" | head -n 1)" "HashMismatchError"
