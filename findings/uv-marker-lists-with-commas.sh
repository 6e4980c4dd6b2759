#!/usr/bin/env bash
# uv 0.13.9, pip 26.3, poetry 2.5.1, pdm 2.29.4 (with hishel below 2), each with Python 3.11 or later.
# A marker may ask whether a version is `in` a text. Lists in metadata are divided by spaces or by commas: "2.7, 3.3".
# Behaviour: uv knows spaces only. A list with commas it leaves out of the marker: the dependency is installed on every Python, for
# `in` and for `not in`, without a warning. pip, poetry and PDM read both.
# Seen: `in "2.7, 3.3"` and `not in` of this Python's version with commas: uv installs both dependencies, the others none;
# the same with spaces: none installs any
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
python=$(python3 -c 'import sys; print("{}.{}".format(*sys.version_info))')
release wheel commas 1.0 'Requires-Dist: old; python_version in "2.7, 3.3"' "Requires-Dist: new; python_version not in \"3.3, $python\"" >/dev/null
release wheel spaces 1.0 'Requires-Dist: old; python_version in "2.7 3.3"' "Requires-Dist: new; python_version not in \"3.3 $python\"" >/dev/null
release wheel old 1.0 >/dev/null
release wheel new 1.0 >/dev/null
for name in commas spaces old new; do
    page "$name" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(sha256sum "$served/files/$name-1.0-py3-none-any.whl" | cut -d ' ' -f 1)"}}]}
EOF
done
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
# wants NAME UV OTHERS: what each installs. (Poetry's environment also has a pip, which does not count.)
wants() {
    local folder=$work/$1 tool expected
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" "$1"
    "$bin/uv" pip install --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" "$1" >"$folder-said" 2>&1
    poetry_project "$folder/poetry" "$1"
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$folder/pdm" "$1"
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
    for tool in uv pip poetry pdm; do
        expected=$3
        if [ "$tool" = uv ]; then expected=$2; fi
        expect "$1, $tool" "$(took "$folder/$tool" / | tr ' ' '\n' | grep -v ^pip- | paste -sd ' ')" "$expected"
    done
}
wants commas "commas-1.0 new-1.0 old-1.0" "commas-1.0"
expect "warnings of uv" "$(grep -ci warning "$work/commas-said" || true)" "0"
wants spaces "spaces-1.0" "spaces-1.0"
