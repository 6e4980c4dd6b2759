#!/usr/bin/env bash
# pdm 2.29.4 (with hishel below 2), pip 26.3, uv 0.13.9, poetry 2.5.1.
# A wheel is built again, of the same version, and published beside the first one with a build number: demo-1.0-2-py3-none-any.whl. The
# format of wheels: of two files that differ in nothing else, the higher number wins; none is the lowest.
# Behaviour: PDM does not look at build numbers. It installs the wheel that comes first on the page, where pip, uv and poetry install the
# build with the highest number, wherever it stands. In order of names 2 stands before no number, and all is well; with the third build PDM
# stays with the second, as 2 stands before 3. (uv's own order was wrong until the end of 2024: astral-sh/uv#9673.)
# Seen: page of no number, 2 and 10: pdm none, the others 10; of 10, 2 and none: all 10; of 2, 3 and none, in order of names: pdm 2, the
# others 3
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
# builds NAME NUMBER…: a page with a wheel for each, in this order, with the number as its summary.
builds() {
    local number file first="$served/files/$1-1.0-py3-none-any.whl"
    for number in "${@:2}"; do
        file=$1-1.0-$number-py3-none-any.whl
        release wheel "$1" 1.0 "Summary: build $number" >/dev/null
        if [ "$number" = none ]; then file=$1-1.0-py3-none-any.whl && mv "$first" "$work/kept"; else mv "$first" "$served/files/$file"; fi
        printf '%s\n' "$file" >>"$work/of-$1"
    done
    mv "$work/kept" "$first"
    page "$1" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$1", "files": [$(while read -r file; do
        printf '{"filename": "%s", "url": "../../files/%s", "hashes": {"sha256": "%s"}}\n' "$file" "$file" \
            "$(sha256sum "$served/files/$file" | cut -d ' ' -f 1)"
    done <"$work/of-$1" | paste -sd ,)]}
EOF
}
builds rising none 2 10
builds falling 10 2 none
builds names 2 3 none
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
# these NAME EXPECTED: which build each tool installs.
these() {
    local folder=$work/$1 tool
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" "$1"
    "$bin/uv" pip install --quiet --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" "$1"
    poetry_project "$folder/poetry" "$1"
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$folder/pdm" "$1"
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
    expect "$1" "$(for tool in pdm pip uv poetry; do
        printf '%s %s\n' "$tool" "$(find "$folder/$tool" -path "*/$1-1.0.dist-info/METADATA" -exec sed -n 's/^Summary: build //p' {} +)"
    done | paste -sd ,)" "$2"
}
these rising "pdm none,pip 10,uv 10,poetry 10"
these falling "pdm 10,pip 10,uv 10,poetry 10"
these names "pdm 2,pip 3,uv 3,poetry 3"
