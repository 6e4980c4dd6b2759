#!/usr/bin/env bash
# pipenv 2026.10.3.
# A source whose `url` ends with a slash, as every index and pipenv's own template write it.
# Behaviour: `pipenv lock` finds the release by pip, and then fetches the digests itself, from `<url>/<project>/`: with two slashes.
# A server that does not merge slashes answers 404; then pipenv downloads the files to hash them.
# Seen: GET /simple/slashed/ and GET /simple//slashed/
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel slashed 1.0)
page slashed index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "slashed", "files": [{"filename": "slashed-1.0-py3-none-any.whl",
 "url": "../../files/slashed-1.0-py3-none-any.whl", "hashes": {"sha256": "$digest"}}]}
EOF
install pipenv==2026.10.3
serve
mkdir "$work/project"
cat >"$work/project/Pipfile" <<EOF
[[source]]
name = "local"
url = "$base/simple/"
verify_ssl = false

[packages]
slashed = "*"
EOF
(cd "$work/project" && PIPENV_NOSPIN=1 PIPENV_VENV_IN_PROJECT=1 "$bin/pipenv" lock) >"$work/said" 2>&1
expect "pages asked for" "$(sed -n 's/^GET \(.simple[^ ]*slashed.\) .*/\1/p' "$served/requests" | sort -u | paste -sd ' ')" \
    "/simple//slashed/ /simple/slashed/"
