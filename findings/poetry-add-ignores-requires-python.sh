#!/usr/bin/env bash
# poetry 2.5.1, uv 0.13.9.
# A project whose newest release wants a newer Python (`requires-python` on its page), and an older release that fits.
# Behaviour: `poetry add NAME` decides on the newest release first, writes `^2.0` down for the solver, and fails: the older release
# is not looked at. `uv add` takes the older one, and so does poetry if the requirement is `*`.
# Seen: poetry add: exit code 1, "newer is forbidden"; poetry with "*": newer-1.0; uv add: newer-1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(release wheel newer 1.0)
second=$(release wheel newer 2.0 'Requires-Python: >=3.99')
page newer index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "newer", "files": [
 {"filename": "newer-1.0-py3-none-any.whl", "url": "../../files/newer-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$first"}},
 {"filename": "newer-2.0-py3-none-any.whl", "url": "../../files/newer-2.0-py3-none-any.whl",
  "hashes": {"sha256": "$second"}, "requires-python": ">=3.99"}]}
EOF
install uv==0.13.9
uv=$bin/uv
install poetry==2.5.1
serve
poetry_project "$work/added" ""
code=0
(cd "$work/added" && "$bin/poetry" add --no-interaction newer) >"$work/said" 2>&1 || code=$?
expect "poetry add's exit code" "$code" 1
expect "poetry add has decided on" "$(grep -o 'Using version .* for newer' "$work/said")" "Using version ^2.0 for newer"
poetry_project "$work/any" newer
(cd "$work/any" && "$bin/poetry" install --no-interaction) >"$work/said" 2>&1
expect "poetry with * installs" "$(took "$work/any" newer)" "newer-1.0"
mkdir "$work/uv"
printf '[project]\nname = "wants"\nversion = "1.0"\nrequires-python = ">=3.9"\n' >"$work/uv/pyproject.toml"
(cd "$work/uv" && "$uv" add --quiet --python "$bin/python" --default-index "$base/simple/" newer)
expect "uv add installs" "$(took "$work/uv" newer)" "newer-1.0"
