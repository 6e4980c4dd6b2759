#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, on Python 3.11 or later.
# A project whose newest release says `Requires-Python: <3.3` in its metadata and on its page, and an older release for any Python.
# Behaviour: pip takes the older release. uv looks at lower bounds alone: it installs the newest one, also by `uv pip install` for a
# Python that is there, and without a warning. A lower bound that does not fit (`>=3.99`) keeps both from it.
# Seen: pip installs: bounded-1.0; uv installs: bounded-2.0; with a lower bound, both install lower-1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
while read -r name specifier; do
    first=$(release wheel "$name" 1.0)
    second=$(release wheel "$name" 2.0 "Requires-Python: $specifier")
    page "$name" index.json <<PAGE
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl", "hashes": {"sha256": "$first"}},
 {"filename": "$name-2.0-py3-none-any.whl", "url": "../../files/$name-2.0-py3-none-any.whl", "hashes": {"sha256": "$second"},
  "requires-python": "$specifier"}]}
PAGE
done <<NAMES
bounded <3.3
lower >=3.99
NAMES
install pip==26.3 uv==0.13.9
serve
for name in bounded lower; do
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip-$name" --index-url "$base/simple/" "$name"
    "$bin/uv" pip install --python "$bin/python" --target "$work/uv-$name" --default-index "$base/simple/" "$name" 2>"$work/said-$name"
done
expect "pip installs" "$(took "$work/pip-bounded" bounded)" "bounded-1.0"
expect "uv installs" "$(took "$work/uv-bounded" bounded)" "bounded-2.0"
expect "uv warns" "$(grep -ci warning "$work/said-bounded" || true)" "0"
expect "pip installs with a lower bound" "$(took "$work/pip-lower" lower)" "lower-1.0"
expect "uv installs with a lower bound" "$(took "$work/uv-lower" lower)" "lower-1.0"
