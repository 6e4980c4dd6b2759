#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# PEP 592: a link with the attribute data-yanked is yanked; the attribute may have no value.
# Behaviour: with the bare attribute (`<a href=… data-yanked>`) pip and PDM take the release as if it were not yanked; uv and
# poetry leave it out. With `data-yanked=""` pip leaves it out as well.
# Seen: pip: 2.0, pdm: 2.0, uv: 1.0, poetry: 1.0; pip with an empty value: 1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(release wheel yanked 1.0)
second=$(release wheel yanked 2.0)
page yanked index.html <<EOF
<!DOCTYPE html><html><head><title>yanked</title></head><body>
<a href="../../files/yanked-1.0-py3-none-any.whl#sha256=$first">yanked-1.0-py3-none-any.whl</a>
<a href="../../files/yanked-2.0-py3-none-any.whl#sha256=$second" data-yanked>yanked-2.0-py3-none-any.whl</a>
</body></html>
EOF
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" yanked
expect "pip installs" "$(took "$work/pip" yanked)" "yanked-2.0"
pdm_project "$work/pdm" yanked
(cd "$work/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
expect "PDM installs" "$(took "$work/pdm" yanked)" "yanked-2.0"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" yanked
expect "uv installs" "$(took "$work/uv" yanked)" "yanked-1.0"
poetry_project "$work/poetry" yanked
(cd "$work/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
expect "poetry installs" "$(took "$work/poetry" yanked)" "yanked-1.0"
sed -i 's/ data-yanked>/ data-yanked="">/' "$served/simple/yanked/index.html"
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/empty" --index-url "$base/simple/" yanked
expect "pip installs, with an empty value" "$(took "$work/empty" yanked)" "yanked-1.0"
