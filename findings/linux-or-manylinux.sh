#!/usr/bin/env bash
# pip 26.2 and 26.3, uv 0.13.9, poetry 2.5.1 (with packaging 26.4), pdm 2.29.4 (with dep-logic 0.7.2 and hishel below 2), on a Linux with glibc.
# A release on a private index may have a wheel for `linux_x86_64`, which the public index does not take, beside one for manylinux, in one
# version. Both run on this host; no standard says which of them an installer prefers.
# Behaviour: pip 26.3 and poetry install the one for linux; uv and PDM the one for manylinux, and so did pip 26.2, from the same page.
# What shall win for all of them needs a version of its own, such as 1.0+ours.
# PDM also looks at the Python tag before the platform: it installs the pure wheel for py311 where the others install the compiled one for
# cp39-abi3, although that is the more specific.
# Seen: linux or manylinux: pip 26.3 and poetry linux, pip 26.2, uv and PDM manylinux; compiled or pure: PDM pure, the others compiled
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
platform=_$(uname -m)
python=py$(python3 -c 'import sys; print("{}{}".format(*sys.version_info))')
# wheels NAME TAG…: one for each tag, which is its summary as well, on the project's page.
wheels() {
    local tag
    for tag in "${@:2}"; do
        printf '{"filename": "%s", "url": "../../files/%s", "hashes": {"sha256": "%s"}}\n' \
            "$1-1.0-$tag.whl" "$1-1.0-$tag.whl" "$(TAG=$tag release wheel "$1" 1.0 "Summary: $tag")"
    done >"$work/of-$1"
    page "$1" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$1", "files": [$(paste -sd , "$work/of-$1")]}
EOF
}
wheels home "py3-none-linux$platform" "py3-none-manylinux_2_17$platform"
wheels pure "cp39-abi3-manylinux_2_17$platform" "$python-none-any"
install poetry==2.5.1 packaging==26.4
poetry=$bin/poetry
install pdm==2.29.4 dep-logic==0.7.2 'hishel<2'
pdm=$bin/pdm
install pip==26.3 uv==0.13.9
python3 -m venv "$work/older"
"$work/older/bin/python" -m pip install -qq --disable-pip-version-check pip==26.2
serve
# took_tag TOOL NAME: the tag of the wheel that was installed.
took_tag() { find "$work/$1-$2" -path "*/$2-1.0.dist-info/METADATA" -exec sed -n "s/^Summary: //p" {} +; }
# with_pip TOOL PYTHON NAME
with_pip() {
    "$2" -m pip install --quiet --disable-pip-version-check --target "$work/$1-$3" --index-url "$base/simple/" "$3"
    took_tag "$1" "$3"
}
# all NAME: what each of the five installs.
all() {
    printf 'pip 26.3 %s\n' "$(with_pip newer "$bin/python" "$1")"
    printf 'pip 26.2 %s\n' "$(with_pip older "$work/older/bin/python" "$1")"
    "$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv-$1" --default-index "$base/simple/" "$1"
    printf 'uv %s\n' "$(took_tag uv "$1")"
    poetry_project "$work/poetry-$1" "$1"
    (cd "$work/poetry-$1" && "$poetry" install --no-interaction >/dev/null 2>&1)
    printf 'poetry %s\n' "$(took_tag poetry "$1")"
    pdm_project "$work/pdm-$1" "$1"
    (cd "$work/pdm-$1" && "$pdm" install --quiet >/dev/null 2>&1)
    printf 'pdm %s\n' "$(took_tag pdm "$1")"
}
# these NAME NEWER OLDER UV POETRY PDM: expect that.
these() { expect "$1" "$(all "$1" | paste -sd ,)" "pip 26.3 $2,pip 26.2 $3,uv $4,poetry $5,pdm $6"; }
linux=py3-none-linux$platform many=py3-none-manylinux_2_17$platform
these home "$linux" "$many" "$many" "$linux" "$many"
compiled=cp39-abi3-manylinux_2_17$platform
these pure "$compiled" "$compiled" "$compiled" "$compiled" "$python-none-any"
