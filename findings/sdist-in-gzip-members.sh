#!/usr/bin/env bash
# uv 0.13.9, pip 26.3, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# A gzip file may have several members, one after the other (RFC 1952): so bgzip writes it, and what is compressed in pieces and joined. For
# gzip, tar and Python it is one file.
# Behaviour: uv reads the first member alone, and refuses the sdist, as one that breaks off. pip, poetry and PDM install it. The tar file
# inside is the same, and so is what `gzip -d` gives.
# Seen: one member: all install; two members: uv says "missing two-block end-of-archive marker", the others install
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
source_of_app "$work/tree/app-1.0"
tar --create --file "$work/app.tar" --directory "$work/tree" app-1.0
gzip --no-name --stdout "$work/app.tar" >"$work/one"
{ head --bytes 2048 "$work/app.tar" | gzip --no-name && tail --bytes +2049 "$work/app.tar" | gzip --no-name; } >"$work/two"
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
# try MEMBERS: install with each of them.
try() {
    local folder=$work/with-$1
    cp "$work/$1" "$served/files/app-1.0.tar.gz"
    page app index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "app", "files": [
 {"filename": "app-1.0.tar.gz", "url": "../../files/app-1.0.tar.gz",
  "hashes": {"sha256": "$(sha256sum "$work/$1" | cut -d ' ' -f 1)"}}]}
EOF
    rm -rf "$HOME/.cache"
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" app
    { "$bin/uv" pip install --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" app || true; } >"$work/uv-said" 2>&1
    mkdir -p "$folder/uv"
    poetry_project "$folder/poetry" app
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$folder/pdm" app
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
    expect "$1" "$(for tool in pip uv poetry pdm; do printf '%s %s\n' "$tool" "$(took "$folder/$tool" /app-)"; done | paste -sd ,)" "$2"
}
expect "unpacked" "$(gzip --decompress --stdout <"$work/two" | cmp - "$work/app.tar" && echo equal)" equal
try one "pip app-1.0,uv app-1.0,poetry app-1.0,pdm app-1.0"
try two "pip app-1.0,uv nothing,poetry app-1.0,pdm app-1.0"
expect "uv says" "$(grep -o -m 1 'missing two-block end-of-archive marker' "$work/uv-said" | head -n 1)" "missing two-block end-of-archive marker"
