#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# HTML: the address in <base href> is itself resolved against the page's, so `/elsewhere/` is fine; browsers follow it.
# Behaviour: all four look at <base>, and none resolves it: the page's files cannot be fetched from any of them.
# Seen: each ends with an error about an address without a scheme; nothing is installed.
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel based 1.0)
mkdir "$served/elsewhere"
mv "$served/files/based-1.0-py3-none-any.whl" "$served/elsewhere/"
page based index.html <<EOF
<!DOCTYPE html><html><head><title>based</title><base href="/elsewhere/"></head><body>
<a href="based-1.0-py3-none-any.whl#sha256=$digest">based-1.0-py3-none-any.whl</a>
</body></html>
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
{ "$bin/python" -m pip install --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" based || true; } \
    >"$work/said" 2>&1
expect "pip" "$(grep -o 'No connection adapters were found' "$work/said" | head -n 1)" "No connection adapters were found"
{ "$bin/uv" pip install --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" based || true; } \
    >"$work/said" 2>&1
expect "uv" "$(grep -o 'relative URL without a base' "$work/said")" "relative URL without a base"
poetry_project "$work/poetry" based
{ (cd "$work/poetry" && "$poetry" install --no-interaction) || true; } >"$work/said" 2>&1
expect "poetry" "$(grep -o 'No scheme supplied' "$work/said" | head -n 1)" "No scheme supplied"
pdm_project "$work/pdm" based
{ (cd "$work/pdm" && "$pdm" install) || true; } >"$work/said" 2>&1
expect "PDM" "$(grep -o 'UnsupportedProtocol' "$work/said" | head -n 1)" "UnsupportedProtocol"
expect "installed" "$(took "$work" based)" "nothing"
