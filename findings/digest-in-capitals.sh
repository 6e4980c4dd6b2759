#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# A page's digests are hexadecimal (PEP 503, 691); no standard says in which case, and A5 and a5 are one number.
# Behaviour: with a digest in capitals pip and uv install the file. poetry and PDM compare text, and refuse it as altered.
# Seen: pip: capital-1.0, uv: capital-1.0, poetry: nothing, pdm: nothing
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel capital 1.0 | tr a-f A-F)
page capital index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "capital", "files": [{"filename": "capital-1.0-py3-none-any.whl",
 "url": "../../files/capital-1.0-py3-none-any.whl", "hashes": {"sha256": "$digest"}}]}
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" capital
expect "pip installs" "$(took "$work/pip" capital)" "capital-1.0"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" capital
expect "uv installs" "$(took "$work/uv" capital)" "capital-1.0"
poetry_project "$work/poetry" capital
{ (cd "$work/poetry" && "$poetry" install --no-interaction) || true; } >"$work/said" 2>&1
expect "poetry installs" "$(took "$work/poetry" capital)" "nothing"
expect "poetry says" "$(grep -o 'Cannot install capital' "$work/said" | head -n 1)" "Cannot install capital"
pdm_project "$work/pdm" capital
{ (cd "$work/pdm" && "$pdm" install) || true; } >"$work/said" 2>&1
expect "PDM installs" "$(took "$work/pdm" capital)" "nothing"
expect "PDM says" "$(grep -o "Expected(sha256): $digest" "$work/said" | head -n 1)" "Expected(sha256): $digest"
