#!/usr/bin/env bash
# pdm 2.29.4 (with hishel below 2), pip 26.3, uv 0.13.9, poetry 2.5.1.
# A private build has a local version, 1.0+cu2. `demo!=1.0+cu2` excludes that build, and no other (PEP 440).
# Behaviour: PDM installs the very build that is excluded. So does poetry where the release is pinned beside it, `==1.0,!=1.0+cu2`.
# pip and uv take the next one. All obey `!=1.0`, which excludes 1.0 with all of its local versions.
# Seen, of 0.9, 1.0, 1.0+cu1 and 1.0+cu2: !=1.0+cu2: pdm 1.0+cu2, the others 1.0+cu1; ==1.0,!=1.0+cu2: pdm and poetry 1.0+cu2, pip and
# uv 1.0+cu1; !=1.0: all 0.9
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
for version in 0.9 1.0 1.0+cu1 1.0+cu2; do
    printf '{"filename": "demo-%s-py3-none-any.whl", "url": "../../files/demo-%s-py3-none-any.whl", "hashes": {"sha256": "%s"}}\n' \
        "$version" "${version/+/%2B}" "$(release wheel demo "$version")"
done >"$work/files"
page demo index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "demo", "files": [$(paste -sd , "$work/files")]}
EOF
install poetry==2.5.1
poetry=$bin/poetry
install pdm==2.29.4 'hishel<2'
pdm=$bin/pdm
install pip==26.3 uv==0.13.9
serve
tried=0
# wants VERSIONS EXPECTED: what each installs.
wants() {
    tried=$((tried + 1))
    local folder=$work/$tried
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" "demo$1"
    "$bin/uv" pip install --quiet --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" "demo$1"
    poetry_project "$folder/poetry" demo
    sed -i "s/^demo = .*/demo = \"$1\"/" "$folder/poetry/pyproject.toml"
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$folder/pdm" "demo$1"
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
    expect "demo$1" "$(for tool in pdm pip uv poetry; do printf '%s %s\n' "$tool" "$(took "$folder/$tool" /demo-)"; done | paste -sd ,)" "$2"
}
wants "!=1.0+cu2" "pdm demo-1.0+cu2,pip demo-1.0+cu1,uv demo-1.0+cu1,poetry demo-1.0+cu1"
wants "==1.0,!=1.0+cu2" "pdm demo-1.0+cu2,pip demo-1.0+cu1,uv demo-1.0+cu1,poetry demo-1.0+cu2"
wants "!=1.0" "pdm demo-0.9,pip demo-0.9,uv demo-0.9,poetry demo-0.9"
