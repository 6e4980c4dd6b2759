#!/usr/bin/env bash
# pip 26.3, uv 0.13.9.
# The format of source distributions: everything is in one folder, NAME-VERSION/, with PKG-INFO and pyproject.toml in it.
# Behaviour: pip and uv install one that has no such folder, its files at the top of the archive (orjson's of 2019 are such). Who wants
# to know before whether it can be installed must not ask for the folder.
# Seen: pip installs: app-1.0; uv installs: app-1.0; the format's folder: missing
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
source_of_app "$work/tree"
cd "$work/tree"
tar --create --gzip --file "$served/files/app-1.0.tar.gz" PKG-INFO pyproject.toml backend.py
page app index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "app", "files": [
 {"filename": "app-1.0.tar.gz", "url": "../../files/app-1.0.tar.gz",
  "hashes": {"sha256": "$(sha256sum "$served/files/app-1.0.tar.gz" | cut -d ' ' -f 1)"}}]}
EOF
cd "$work"
install pip==26.3 uv==0.13.9
serve
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/p" --index-url "$base/simple/" app 2>"$work/said" || true
expect "pip installs" "$(took "$work/p" /app-)" "app-1.0"
"$bin/uv" pip install --python "$bin/python" --default-index "$base/simple/" --target "$work/u" app >"$work/said" 2>&1 || true
expect "uv installs" "$(took "$work/u" /app-)" "app-1.0"
mkdir unpacked
tar --extract --file "$served/files/app-1.0.tar.gz" --directory unpacked
expect "the format's folder" "$(test -d unpacked/app-1.0 && echo there || echo missing)" "missing"
