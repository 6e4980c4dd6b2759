#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# An index of static files, as NGINX or `python -m http.server` serves them: pages have Last-Modified and no Cache-Control. Its page was
# last changed 100 days ago; each tool locks demo, a release is added to the page, and each tool locks demo again, without its lock file.
# Behaviour: uv and PDM do not ask again, and lock the old release. HTTP lets a cache guess how long an answer without Cache-Control is
# fresh, from how long ago it last changed (RFC 9111, 4.2.2), and both do. `uv --upgrade` asks. pip and poetry always ask. With
# `Cache-Control: no-cache` all of them see the release.
# Seen: before 1.0 by all; after it pip 2.0, uv 1.0, poetry 2.0, pdm 1.0; uv --upgrade 2.0; with no-cache all 2.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
# listed NAME VERSION…: the page, with the releases of that project.
listed() {
    local name=$1 version
    shift
    page "$name" index.json <<JSON
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [$(for version; do
        printf '{"filename": "%s", "url": "../../files/%s", "hashes": {"sha256": "%s"}}\n' "$name-$version-py3-none-any.whl" \
            "$name-$version-py3-none-any.whl" "$(sha256sum "$served/files/$name-$version-py3-none-any.whl" | cut -d ' ' -f 1)"
    done | paste -sd ,)]}
JSON
}
# first NAME: its page with one of two releases, as it has been for 100 days.
first() {
    release wheel "$1" 1.0 >/dev/null
    release wheel "$1" 2.0 >/dev/null
    listed "$1" 1.0
    touch --date '100 days ago' "$served/simple/$1/index.json"
}
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
# start CACHE: the server, with this Cache-Control or none, and tools that have their caches.
start() {
    CACHE=$1 serve
    unset UV_NO_CACHE PIP_NO_CACHE_DIR
}
by_uv() {
    echo "$1" | "$bin/uv" pip compile --quiet --default-index "$base/simple/" "${@:2}" - | sed -n "s/^$1==//p"
}
# locked NAME: which release each tool takes.
locked() {
    rm -rf "$work/pip" "$work"/{poetry,pdm}-"$1"/*.lock
    "$bin/python" -m pip download --quiet --disable-pip-version-check --dest "$work/pip" --index-url "$base/simple/" "$1"
    poetry_project "$work/poetry-$1" "$1"
    (cd "$work/poetry-$1" && "$poetry" lock --no-interaction >/dev/null 2>&1)
    pdm_project "$work/pdm-$1" "$1"
    (cd "$work/pdm-$1" && "$pdm" lock --quiet >/dev/null 2>&1)
    printf 'pip %s, uv %s, poetry %s, pdm %s' "$(find "$work/pip" -name '*.whl' -printf '%f\n' | cut -d - -f 2)" "$(by_uv "$1")" \
        "$(sed -n "/^name = \"$1\"/,/^version/s/^version = \"\(.*\)\"/\1/p" "$work/poetry-$1/poetry.lock")" \
        "$(sed -n "/^name = \"$1\"/,/^version/s/^version = \"\(.*\)\"/\1/p" "$work/pdm-$1/pdm.lock")"
}
first demo
start ""
expect "before" "$(locked demo)" "pip 1.0, uv 1.0, poetry 1.0, pdm 1.0"
listed demo 1.0 2.0
expect "after 2.0 was added" "$(locked demo)" "pip 2.0, uv 1.0, poetry 2.0, pdm 1.0"
expect "uv --upgrade" "$(by_uv demo --upgrade)" "2.0"
kill "$server"
rm "$served/port"
first other
start no-cache
expect "before, with no-cache" "$(locked other)" "pip 1.0, uv 1.0, poetry 1.0, pdm 1.0"
listed other 1.0 2.0
expect "after 2.0 was added, with no-cache" "$(locked other)" "pip 2.0, uv 2.0, poetry 2.0, pdm 2.0"
