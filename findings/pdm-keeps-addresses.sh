#!/usr/bin/env bash
# pdm 2.29.4 (with hishel below 2).
# A lock file made with `static_urls` has the address of each file. Then the index moves: pyproject.toml names its new address.
# Behaviour: `pdm lock --check` says that the lock file is out of date. `pdm install`, which brings it up to date, and `pdm lock
# --update-reuse` keep the old address all the same, from where files are fetched; `pdm lock` and `pdm update` take the new one.
# Seen: lock --check ends with 1; after install, and after lock --update-reuse, the old address, and lock --check ends with 0; after
# lock the new address.
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
sum=$(release wheel demo 1.0)
page demo index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "demo", "files": [
 {"filename": "demo-1.0-py3-none-any.whl", "url": "../../files/demo-1.0-py3-none-any.whl", "hashes": {"sha256": "$sum"}}]}
EOF
install pdm==2.29.4 'hishel<2'
serve
pdm_project "$work/wants" demo
cd "$work/wants"
"$bin/pdm" lock --quiet --strategy static_urls >/dev/null 2>&1
# The same server by another name, as of another host.
sed -i "s/127\.0\.0\.1/localhost/" pyproject.toml
export NO_PROXY=127.0.0.1,localhost
# locked: the hosts that the lock file names.
locked() { grep -o 'http://[^:/]*' pdm.lock | sort -u | paste -sd ' '; }
# checked: how lock --check ends.
checked() { "$bin/pdm" lock --check >/dev/null 2>&1 && echo 0 || echo $?; }
expect "lock --check ends with" "$(checked)" 1
"$bin/pdm" install --quiet >/dev/null 2>&1
expect "install brings, with its lock file" "$(took .venv demo), $(locked)" "demo-1.0, http://127.0.0.1"
"$bin/pdm" lock --quiet --update-reuse >/dev/null 2>&1
expect "after lock --update-reuse" "$(locked), $(checked)" "http://127.0.0.1, 0"
"$bin/pdm" lock --quiet >/dev/null 2>&1
expect "after lock" "$(locked)" "http://localhost"
