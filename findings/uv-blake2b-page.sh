#!/usr/bin/env bash
# uv 0.13.9, pip 26.3, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# PEP 691: the keys of `hashes` are names of hashlib, and a client checks those that it likes. hashlib's `blake2b` has 64 bytes.
# Behaviour: uv knows `blake2b` as 32 bytes, and cannot read a page where one file has hashlib's, not even if its sha256 stands beside
# it: no release of the project can be installed. Names that uv does not know (blake2s, sha3_256) do no harm in a JSON page; in the
# fragment of an HTML page they, too, make the page unreadable. pip, poetry and PDM install from all of these.
# Seen: blake2b beside sha256: uv says "expected 64 hexadecimal characters, found 128", the others install; sha3_256 in JSON: all
# install; sha3_256 in HTML: uv says "Unsupported hash algorithm", the others install
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
for name in beside other html; do
    for version in 1.0 2.0; do release wheel "$name" "$version" >/dev/null; done
done
# digest ALGORITHM NAME VERSION: of a wheel, as hashlib says.
digest() {
    python3 -c 'import hashlib, sys; print(hashlib.new(sys.argv[1], open(sys.argv[2], "rb").read()).hexdigest())' \
        "$1" "$served/files/$2-$3-py3-none-any.whl"
}
page beside index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "beside", "files": [
 {"filename": "beside-1.0-py3-none-any.whl", "url": "../../files/beside-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(digest sha256 beside 1.0)", "blake2b": "$(digest blake2b beside 1.0)"}},
 {"filename": "beside-2.0-py3-none-any.whl", "url": "../../files/beside-2.0-py3-none-any.whl",
  "hashes": {"sha256": "$(digest sha256 beside 2.0)"}}]}
EOF
page other index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "other", "files": [
 {"filename": "other-2.0-py3-none-any.whl", "url": "../../files/other-2.0-py3-none-any.whl",
  "hashes": {"sha3_256": "$(digest sha3_256 other 2.0)"}}]}
EOF
page html index.html <<EOF
<!DOCTYPE html><html><head><title>html</title></head><body>
<a href="../../files/html-2.0-py3-none-any.whl#sha3_256=$(digest sha3_256 html 2.0)">html-2.0-py3-none-any.whl</a>
</body></html>
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
for name in beside other html; do
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip-$name" --index-url "$base/simple/" "$name"
    poetry_project "$work/poetry-$name" "$name"
    (cd "$work/poetry-$name" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$work/pdm-$name" "$name"
    (cd "$work/pdm-$name" && "$pdm" install --quiet >/dev/null 2>&1)
    for tool in pip poetry pdm; do
        expect "$tool installs" "$(took "$work/$tool-$name" "/$name-")" "$name-2.0"
    done
    { "$bin/uv" pip install --python "$bin/python" --target "$work/uv-$name" --default-index "$base/simple/" "$name" || true; } \
        >"$work/said-$name" 2>&1
done
expect "uv, blake2b beside sha256" "$(took "$work/uv-beside" beside)" "nothing"
expect "uv says" "$(grep -o 'expected 64 hexadecimal characters, found 128' "$work/said-beside")" \
    "expected 64 hexadecimal characters, found 128"
expect "uv, sha3_256 in JSON" "$(took "$work/uv-other" other)" "other-2.0"
expect "uv, sha3_256 in HTML" "$(took "$work/uv-html" html)" "nothing"
expect "uv says" "$(grep -o 'Unsupported hash algorithm' "$work/said-html")" "Unsupported hash algorithm"
