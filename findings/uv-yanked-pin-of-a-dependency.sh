#!/usr/bin/env bash
# uv 0.13.9, pip 26.3, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# PEP 592: a yanked release is still for those who pin it exactly. The pin is in the metadata of a package (`Requires-Dist: lib==2.0`).
# Behaviour: pip, poetry and PDM install it. uv takes such a pin from the user alone: it calls the package impossible to install, until
# the same pin is repeated on its command line, or in a constraints file.
# Seen: pip, poetry, pdm: app-1.0 lib-2.0; uv: nothing, "lib==2.0 was yanked"; uv with the pin repeated: app-1.0 lib-2.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
app=$(release wheel app 1.0 "Requires-Dist: lib==2.0")
first=$(release wheel lib 1.0)
second=$(release wheel lib 2.0)
page app index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "app", "files": [
 {"filename": "app-1.0-py3-none-any.whl", "url": "../../files/app-1.0-py3-none-any.whl", "hashes": {"sha256": "$app"}}]}
EOF
page lib index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "lib", "files": [
 {"filename": "lib-1.0-py3-none-any.whl", "url": "../../files/lib-1.0-py3-none-any.whl", "hashes": {"sha256": "$first"}},
 {"filename": "lib-2.0-py3-none-any.whl", "url": "../../files/lib-2.0-py3-none-any.whl", "hashes": {"sha256": "$second"},
  "yanked": "loses data on Tuesdays"}]}
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
# both FOLDER: the releases of app and lib below it.
both() { printf '%s %s' "$(took "$1" /app-)" "$(took "$1" /lib-)"; }
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/p" --index-url "$base/simple/" app 2>"$work/said"
expect "pip installs" "$(both "$work/p")" "app-1.0 lib-2.0"
expect "pip warns" "$(grep -c 'loses data on Tuesdays' "$work/said")" "1"
poetry_project "$work/q" app
(cd "$work/q" && "$poetry" install --no-interaction >/dev/null 2>&1)
expect "poetry installs" "$(both "$work/q")" "app-1.0 lib-2.0"
pdm_project "$work/r" app
(cd "$work/r" && "$pdm" install --quiet >/dev/null 2>&1)
expect "PDM installs" "$(both "$work/r")" "app-1.0 lib-2.0"
uv() { "$bin/uv" pip install --python "$bin/python" --default-index "$base/simple/" --target "$@" >"$work/said" 2>&1; }
uv "$work/u" app || true
expect "uv installs" "$(both "$work/u")" "nothing nothing"
expect "uv says" "$(grep -o 'lib==2.0 was yanked' "$work/said" | head -n 1)" "lib==2.0 was yanked"
uv "$work/v" app lib==2.0
expect "uv installs, with the pin repeated" "$(both "$work/v")" "app-1.0 lib-2.0"
echo 'lib==2.0' >"$work/constraints"
uv "$work/w" --constraint "$work/constraints" app
expect "uv installs, with the pin as a constraint" "$(both "$work/w")" "app-1.0 lib-2.0"
