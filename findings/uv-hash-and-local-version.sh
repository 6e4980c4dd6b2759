#!/usr/bin/env bash
# uv 0.13.9, pip 26.3.
# A requirements file pins `demo==1.0` with the digest of its wheel. Later a build of the same release is published, as 1.0+cu1.
# Behaviour: for uv the pin means 1.0+cu1 now (PEP 440 allows both, and the local version is the higher): `uv pip install` and
# `uv pip sync` of the unchanged file end with a hash mismatch. pip passes over what the digests do not name, and goes on installing 1.0.
# So does uv from its own uv.lock, with `===1.0`, and where the new build is a wheel with a build tag (demo-1.0-1-py3-none-any.whl).
# Seen before: uv 1.0; after: uv "Hash mismatch for `demo==1.0+cu1`", uv with uv.lock 1.0, with === 1.0, pip 1.0; build tag: uv 1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel demo 1.0)
first='{"filename": "demo-1.0-py3-none-any.whl", "url": "../../files/demo-1.0-py3-none-any.whl", "hashes": {"sha256": "'$digest'"}}'
printf 'demo==1.0 --hash=sha256:%s\n' "$digest" >"$work/pinned.txt"
printf 'demo===1.0 --hash=sha256:%s\n' "$digest" >"$work/exact.txt"
# shows FILE…: the page of the project.
shows() {
    page demo index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "demo", "files": [$(printf '%s\n' "$@" | paste -sd ,)]}
EOF
}
shows "$first"
install pip==26.3 uv==0.13.9
serve
# with_uv FOLDER FILE: what uv installs from a requirements file.
with_uv() {
    { "$bin/uv" pip install --python "$bin/python" --target "$work/$1" --default-index "$base/simple/" --requirement "$work/$2" || true; } \
        >"$work/$1-said" 2>&1
    { took "$work/$1" /demo-; } 2>/dev/null
}
expect "before, uv" "$(with_uv before pinned.txt)" "demo-1.0"
# uv reads the project's settings, and none of this machine's user.
unset UV_NO_CONFIG
export XDG_CONFIG_HOME=$work/none XDG_CONFIG_DIRS=$work/none
mkdir "$work/wants"
cat >"$work/wants/pyproject.toml" <<EOF
[project]
name = "wants"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["demo==1.0"]

[[tool.uv.index]]
url = "$base/simple/"
default = true
EOF
(cd "$work/wants" && "$bin/uv" lock --quiet --python "$bin/python")
cp "$served/files/demo-1.0-py3-none-any.whl" "$served/files/demo-1.0-1-py3-none-any.whl"
python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "a").comment = b"built again"' "$served/files/demo-1.0-1-py3-none-any.whl"
expect "the two wheels are alike" "$(cmp --silent "$served"/files/demo-1.0-{1-,}py3-none-any.whl && echo yes || echo no)" "no"
tagged=$(sha256sum "$served/files/demo-1.0-1-py3-none-any.whl" | cut -d ' ' -f 1)
shows "$first" '{"filename": "demo-1.0-1-py3-none-any.whl", "url": "../../files/demo-1.0-1-py3-none-any.whl", "hashes": {"sha256": "'"$tagged"'"}}'
expect "beside a build tag, uv" "$(with_uv tag pinned.txt)" "demo-1.0"
second=$(release wheel demo 1.0+cu1)
shows "$first" '{"filename": "demo-1.0+cu1-py3-none-any.whl", "url": "../../files/demo-1.0%2Bcu1-py3-none-any.whl", "hashes": {"sha256": "'"$second"'"}}'
expect "beside 1.0+cu1, uv" "$(with_uv local pinned.txt)" "nothing"
# shellcheck disable=SC2016
expect "uv says" "$(grep -o 'Hash mismatch for `[^`]*`' "$work/local-said")" 'Hash mismatch for `demo==1.0+cu1`'
python3 -m venv --without-pip "$work/synced"
"$bin/uv" pip sync --quiet --python "$work/synced/bin/python" --default-index "$base/simple/" "$work/pinned.txt" >/dev/null 2>&1 || true
expect "uv pip sync" "$(took "$work/synced" /demo-)" "nothing"
expect "uv with ===1.0" "$(with_uv exact exact.txt)" "demo-1.0"
(cd "$work/wants" && "$bin/uv" sync --quiet --locked --python "$bin/python")
expect "uv sync, from uv.lock" "$(took "$work/wants" /demo-)" "demo-1.0"
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" --requirement "$work/pinned.txt"
expect "pip" "$(took "$work/pip" /demo-)" "demo-1.0"
