#!/usr/bin/env bash
# poetry 2.5.1, pdm 2.29.4 (with hishel below 2), uv 0.13.9.
# Two indexes, such as one for tests and one for production, each with a demo-1.0-py3-none-any.whl of its own; that of the second needs lib.
# A project for each calls its index `company`.
# Behaviour: PDM keeps the dependencies of a release under its name and version, for all indexes: in the second project it locks the second
# file with the first one's dependencies, and installs it without lib, without a word. Another name for the source changes nothing; `pdm
# cache clear` does. poetry keeps digest and dependencies under the name of the source, whatever its address: it locks the first file's, and
# then refuses the second as altered; --no-cache or another name for the source helps. uv keeps to addresses.
# Seen, the second project's lock file: pdm: second, without lib, install: demo-1.0; poetry: first, without lib, install ends with 1; uv:
# second, with lib; after what helps, all: second, with lib
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
root=$served
# index FOLDER HEADER…: an index with demo, of these headers, and lib.
index() {
    local name
    served=$root/$1
    mkdir -p "$served/files"
    release wheel demo 1.0 "${@:2}" >"$work/digest-$1"
    release wheel lib 1.0 >/dev/null
    for name in demo lib; do
        page "$name" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(sha256sum "$served/files/$name-1.0-py3-none-any.whl" | cut -d ' ' -f 1)"}}]}
EOF
    done
    served=$root
}
index first
index second "Requires-Dist: lib"
install poetry==2.5.1
poetry=$bin/poetry
install pdm==2.29.4 'hishel<2'
pdm=$bin/pdm
install uv==0.13.9
serve
unset UV_NO_CACHE UV_NO_CONFIG
address=$base
# project TOOL INDEX NAME: a new project in the folder TOOL-INDEX, which calls that index by this name; `folder` is its address.
project() {
    folder=$work/$1-$2
    base=$address/$2
    case $1 in
        poetry) poetry_project "$folder" demo ;;
        pdm) pdm_project "$folder" demo ;;
        uv)
            mkdir -p "$folder"
            cat >"$folder/pyproject.toml" <<EOF
[project]
name = "wants"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo"]

[[tool.uv.index]]
name = "local"
url = "$base/simple/"
default = true
EOF
            ;;
    esac
    sed -i "s/\"local\"/\"$3\"/; s/\"pypi\"/\"$3\"/" "$folder/pyproject.toml"
}
# locked FILE: whose digest of demo it has, and whether it has lib.
locked() {
    local whose=neither with=without which
    for which in first second; do
        if grep -q "$(cat "$work/digest-$which")" "$1"; then whose=$which; fi
    done
    if grep -q '^name = "lib"' "$1"; then with=with; fi
    printf '%s, %s lib' "$whose" "$with"
}
# lock TOOL: make the lock file of the project in `folder`.
lock() {
    case $1 in
        poetry) (cd "$folder" && rm -f poetry.lock && "$poetry" lock "${@:2}" >/dev/null 2>&1) ;;
        pdm) (cd "$folder" && rm -f pdm.lock && "$pdm" lock --quiet >/dev/null 2>&1) ;;
        uv) (cd "$folder" && "$bin/uv" lock --quiet) ;;
    esac
    locked "$folder/$1.lock"
}
for tool in poetry pdm uv; do
    project "$tool" first company
    expect "first index, $tool" "$(lock "$tool")" "first, without lib"
done
project uv second company
expect "second index, uv" "$(lock uv)" "second, with lib"
project pdm second company
expect "second index, pdm" "$(lock pdm)" "second, without lib"
(cd "$folder" && "$pdm" install --quiet >/dev/null 2>&1)
expect "pdm install" "$(took "$folder" /)" "demo-1.0"
project pdm second production
expect "second index, pdm, another name" "$(lock pdm)" "second, without lib"
"$pdm" cache clear --quiet >/dev/null 2>&1
expect "second index, pdm after cache clear" "$(lock pdm)" "second, with lib"
project poetry second company
expect "second index, poetry" "$(lock poetry)" "first, without lib"
code=0
(cd "$folder" && "$poetry" install --no-interaction >"$work/said" 2>&1) || code=$?
expect "poetry install" "$code, $(grep -o 'did not match any known checksums' "$work/said")" "1, did not match any known checksums"
expect "second index, poetry --no-cache" "$(lock poetry --no-cache)" "second, with lib"
project poetry second production
expect "second index, poetry, another name" "$(lock poetry)" "second, with lib"
