#!/usr/bin/env bash
# hatch 1.18.2.
# `hatch publish` has an address to upload to, and nothing that names the project's page.
# Behaviour: before it uploads it asks for `<that address>%2Bsimple/<project>/`, which is devpi's layout, with the login; and
# leaves a file out without a word to the index if that page, read as HTML, has it. The page in JSON is not asked for.
# Seen: GET /%2Bsimple/guessed/ 404, POST / 200; with a page there: GET alone, and "already exists"
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install hatch==1.18.2
release wheel guessed 1.0 >/dev/null
serve
publish() {
    HATCH_INDEX_REPO=$base/ HATCH_INDEX_USER=alice HATCH_INDEX_AUTH=secret-of-alice "$bin/hatch" publish --no-prompt \
        "$served"/files/*.whl >"$work/said" 2>&1
}
publish
expect "hatch asks" "$(cut -d ' ' -f 1-3 "$served/requests" | paste -sd ',')" "GET /%2Bsimple/guessed/ 404,POST / 200"
rm "$served/requests"
mkdir -p "$served/+simple/guessed"
echo '<!DOCTYPE html><a href="guessed-1.0-py3-none-any.whl">guessed-1.0-py3-none-any.whl</a>' \
    >"$served/+simple/guessed/index.html"
publish || true
expect "with such a page" "$(cut -d ' ' -f 1-3 "$served/requests" | paste -sd ',')" "GET /%2Bsimple/guessed/ 200"
expect "hatch says" "$(grep -o 'already exists' "$work/said")" "already exists"
