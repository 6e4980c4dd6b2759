#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# Without --pre, pre-releases are left out where there is a final release. `<2` leaves out those of 2.0 too; many write `<2.0.dev0`, to
# be sure, or `>0.9.dev0`.
# Behaviour: for pip and PDM a bound that is a pre-release itself asks for pre-releases, of all versions, an upper bound as well: they
# install the release candidate of another version. `!=1.0.dev0` does not do that. uv and poetry keep to final releases.
# Seen, of 1.0, 1.1rc1 and 2.0rc1: <2: all 1.0; <2.0.dev0: pip and pdm 1.1rc1, uv and poetry 1.0; >0.9.dev0: pip and pdm 2.0rc1,
# uv and poetry 1.0; !=1.0.dev0: all 1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
for version in 1.0 1.1rc1 2.0rc1; do
    printf '{"filename": "demo-%s-py3-none-any.whl", "url": "../../files/demo-%s-py3-none-any.whl", "hashes": {"sha256": "%s"}}\n' \
        "$version" "$version" "$(release wheel demo "$version")"
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
    expect "demo$1" "$(for tool in pip pdm uv poetry; do printf '%s %s\n' "$tool" "$(took "$folder/$tool" /demo-)"; done | paste -sd ,)" "$2"
}
wants "<2" "pip demo-1.0,pdm demo-1.0,uv demo-1.0,poetry demo-1.0"
wants "<2.0.dev0" "pip demo-1.1rc1,pdm demo-1.1rc1,uv demo-1.0,poetry demo-1.0"
wants ">0.9.dev0" "pip demo-2.0rc1,pdm demo-2.0rc1,uv demo-1.0,poetry demo-1.0"
wants "!=1.0.dev0" "pip demo-1.0,pdm demo-1.0,uv demo-1.0,poetry demo-1.0"
