#!/usr/bin/env bash
# poetry 2.5.1, pip 26.3, uv 0.13.9, pdm 2.29.4 (with hishel below 2).
# A release of last year, to which a wheel for another platform is added today; each tool told to leave out what is younger than 7 days.
# Behaviour: pip, uv and PDM leave out the added file. For poetry (`solver.min-release-age`) the whole release is too young again,
# although the file that it would install is old: an exact pin of it no longer resolves. A file without a time is old enough.
# Seen: pip late-2.0, uv late-2.0, pdm late-2.0, poetry late-1.0; with the pin late==2.0 poetry installs nothing; with no time at the
# added file poetry installs late-2.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(release wheel late 1.0)
added=$(release wheel late 2.0)
mv "$served/files/late-2.0-py3-none-any.whl" "$served/files/late-2.0-py3-none-win_arm64.whl"
second=$(release wheel late 2.0)
# listing MORE: the page, with more facts of the added file.
listing() {
    page late index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "late", "files": [
 {"filename": "late-1.0-py3-none-any.whl", "url": "../../files/late-1.0-py3-none-any.whl", "hashes": {"sha256": "$first"},
  "upload-time": "2025-01-01T00:00:00Z"},
 {"filename": "late-2.0-py3-none-any.whl", "url": "../../files/late-2.0-py3-none-any.whl", "hashes": {"sha256": "$second"},
  "upload-time": "2025-02-01T00:00:00Z"},
 {"filename": "late-2.0-py3-none-win_arm64.whl", "url": "../../files/late-2.0-py3-none-win_arm64.whl",
  "hashes": {"sha256": "$added"}$1}]}
EOF
}
listing ", \"upload-time\": \"$(date -u +%Y-%m-%dT%H:%M:%SZ)\""
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
export POETRY_SOLVER_MIN_RELEASE_AGE=7
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" \
    --uploaded-prior-to P7D late
expect "pip installs" "$(took "$work/pip" late)" "late-2.0"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" --exclude-newer P7D late
expect "uv installs" "$(took "$work/uv" late)" "late-2.0"
pdm_project "$work/pdm" late
(cd "$work/pdm" && { "$pdm" lock --quiet --exclude-newer 7d && "$pdm" sync --quiet; } >/dev/null 2>&1)
expect "PDM installs" "$(took "$work/pdm" late)" "late-2.0"
poetry_project "$work/poetry" late
(cd "$work/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
expect "poetry installs" "$(took "$work/poetry" late)" "late-1.0"
poetry_project "$work/pinned" late
sed -i 's/^late = .*/late = "2.0"/' "$work/pinned/pyproject.toml"
{ (cd "$work/pinned" && "$poetry" install --no-interaction) || true; } >"$work/said" 2>&1
expect "poetry says to the pin" "$(grep -o "doesn't match any versions" "$work/said")" "doesn't match any versions"
expect "poetry installs, with the pin" "$(took "$work/pinned" late)" "nothing"
listing ""
export HOME=$work/elsewhere
poetry_project "$work/timeless" late
(cd "$work/timeless" && "$poetry" install --no-interaction >/dev/null 2>&1)
expect "poetry installs, the added file without a time" "$(took "$work/timeless" late)" "late-2.0"
