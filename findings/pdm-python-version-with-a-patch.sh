#!/usr/bin/env bash
# pdm 2.29.4 (with dep-logic 0.7.2 and hishel below 2), pip 26.3, uv 0.13.9, poetry 2.5.1, on a Python that is not the first of its line
# (3.11.2, not 3.11.0).
# A dependency for old patch releases may be written `backport; python_version <= "3.11.0"`. python_version has two numbers, "3.11", and
# so is not above 3.11.0 on any 3.11 (PEP 508); python_full_version has three.
# Behaviour: pip, uv and poetry obey that, and install the backport on 3.11.2 as well. PDM compares the whole version where the text has three
# numbers, and does not. It exports the marker as it is: what `pdm export` writes, and what PDM itself installs, are not the same.
# Seen: backport; python_version <= "X.Y.0": pip, uv, poetry and pip with the exported file install it, PDM does not; newer;
# python_version > "X.Y.0": PDM alone installs it; with python_full_version: all agree
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(python3 -c 'import sys; print("{}.{}.0".format(*sys.version_info))')
if [ "$(python3 -c 'import platform; print(platform.python_version())')" = "$first" ]; then
    echo "this needs a later Python than $first" >&2
    exit 1
fi
release wheel app 1.0 "Requires-Dist: backport; python_version <= \"$first\"" "Requires-Dist: newer; python_version > \"$first\"" >/dev/null
release wheel full 1.0 "Requires-Dist: backport; python_full_version <= \"$first\"" "Requires-Dist: newer; python_full_version > \"$first\"" >/dev/null
release wheel backport 1.0 >/dev/null
release wheel newer 1.0 >/dev/null
for name in app full backport newer; do
    page "$name" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(sha256sum "$served/files/$name-1.0-py3-none-any.whl" | cut -d ' ' -f 1)"}}]}
EOF
done
install poetry==2.5.1
poetry=$bin/poetry
install pdm==2.29.4 dep-logic==0.7.2 'hishel<2'
pdm=$bin/pdm
install pip==26.3 uv==0.13.9
serve
# with_pip FOLDER WORD…: what pip installs.
with_pip() {
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$1" --index-url "$base/simple/" "${@:2}"
    took "$1" /
}
# installed FOLDER: what is there beside a new environment's own pip.
installed() { took "$1" / | tr ' ' '\n' | grep -v ^pip- | paste -sd ' '; }
# wants NAME EXPECTED BY_PDM
wants() {
    local folder=$work/$1
    expect "$1, pip" "$(with_pip "$folder/pip" "$1")" "$2"
    "$bin/uv" pip install --quiet --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" "$1"
    expect "$1, uv" "$(installed "$folder/uv")" "$2"
    poetry_project "$folder/poetry" "$1"
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    expect "$1, poetry" "$(installed "$folder/poetry")" "$2"
    pdm_project "$folder/pdm" "$1"
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1 && "$pdm" export --without-hashes --output "$folder/exported.txt" >/dev/null 2>&1)
    expect "$1, pdm" "$(installed "$folder/pdm")" "$3"
    expect "$1, pip with what pdm exports" "$(with_pip "$folder/exported" --requirement "$folder/exported.txt")" "$2"
}
wants app "app-1.0 backport-1.0" "app-1.0 newer-1.0"
wants full "full-1.0 newer-1.0" "full-1.0 newer-1.0"
