#!/usr/bin/env bash
# flit 4.2.0, twine 7.0.0.
# An upload address that has moved permanently: the server answers the POST with 301 and a Location.
# Behaviour: flit follows it with a GET, without the file, and reports success for whatever that address answers; the exit
# code is 0, and nothing is published. twine stops, and names the new address.
# Seen: flit: POST /old/ 301, GET /new/ 200, "Package is at …", exit code 0; twine: RedirectDetected
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install flit==4.2.0
flit=$bin/flit
install twine==7.0.0
release wheel moved 1.0 >/dev/null
mkdir "$served/new"
flit_project "$work/project" moved
MOVED=/new/ serve
code=0
(cd "$work/project" && FLIT_INDEX_URL=$base/old/ FLIT_USERNAME=alice FLIT_PASSWORD=secret "$flit" publish --format wheel) \
    >"$work/said" 2>&1 || code=$?
expect "flit's exit code" "$code" 0
expect "flit says" "$(grep -o 'Package is at' "$work/said")" "Package is at"
expect "flit asks" "$(cut -d ' ' -f 1-3 "$served/requests" | paste -sd ',')" "POST /old/ 301,GET /new/ 200"
code=0
TWINE_USERNAME=alice TWINE_PASSWORD=secret "$bin/twine" upload --non-interactive --disable-progress-bar \
    --repository-url "$base/old/" "$served"/files/*.whl >"$work/said" 2>&1 || code=$?
expect "twine's exit code" "$code" 1
expect "twine says" "$(grep -o RedirectDetected "$work/said")" "RedirectDetected"
