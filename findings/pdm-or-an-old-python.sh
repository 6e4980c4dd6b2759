#!/usr/bin/env bash
# pdm 2.29.4 (with dep-logic 0.7.2 and hishel below 2), pip 26.3, uv 0.13.9, poetry 2.5.1, each with Python 3.11 or later, on a POSIX system.
# A dependency of all POSIX systems, and elsewhere of old Pythons, has the marker `os_name == "posix" or python_version < "3.8"`. One half
# of an `or` suffices (PEP 508).
# Behaviour: PDM looks at what a marker says of Python by itself, and asks for both: on POSIX it takes `python_version < "3.8"` for a
# condition, and neither locks nor installs the dependency, without a warning. So it does where that half stands in an `and` of its own,
# `os_name == "posix" or os_name == "nt" and python_version < "3.8"`. pip, uv and poetry install both.
# (pdm-project/pdm#3039 mended one such case in 2024.)
# Seen: pip, uv, poetry: app always either grouped; pdm: app always
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
release wheel app 1.0 'Requires-Dist: either; os_name == "posix" or python_version < "3.8"' \
    'Requires-Dist: grouped; os_name == "posix" or os_name == "nt" and python_version < "3.8"' \
    'Requires-Dist: always; os_name == "posix" or python_version >= "3.8"' >/dev/null
for name in always either grouped; do release wheel "$name" 1.0 >/dev/null; done
for name in app always either grouped; do
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
# installed FOLDER: what is there beside a new environment's own pip, without versions.
installed() { took "$1" / | tr ' ' '\n' | sed 's/-1\.0$//' | grep -v ^pip- | paste -sd ' '; }
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" app
expect pip "$(installed "$work/pip")" "always app either grouped"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" app
expect uv "$(installed "$work/uv")" "always app either grouped"
poetry_project "$work/poetry" app
(cd "$work/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
expect poetry "$(installed "$work/poetry")" "always app either grouped"
pdm_project "$work/pdm" app
(cd "$work/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
expect pdm "$(installed "$work/pdm")" "always app"
expect "in pdm.lock" "$(sed -n 's/^name = "\(.*\)"/\1/p' "$work/pdm/pdm.lock" | paste -sd ' ')" "always app"
