#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2), on a Linux whose kernel has a name after its numbers, as those of
# distributions do (6.1.0-28-amd64, 5.14.0-503.el9.x86_64).
# A dependency may depend on the kernel: `driver; platform_release >= "3.10"`, and `fallback; platform_release < "3.10"`.
# Behaviour: such a name is no version (PEP 440). pip takes every comparison for false, and installs neither. uv and PDM compare letter by
# letter: 6.1 is at least 3.10, and at least 10.0 too. Only poetry compares the numbers.
# Seen with a kernel 6: pip installs neither driver nor fallback; uv and PDM install driver, and what wants >= "10.0"; poetry driver alone
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
case $(uname -r) in
[4-9].*-*[a-z]*) ;;
*) printf 'this kernel (%s) has no such name\n' "$(uname -r)" >&2 && exit 1 ;;
esac
release wheel demo 1.0 'Requires-Dist: driver; platform_release >= "3.10"' 'Requires-Dist: fallback; platform_release < "3.10"' \
    'Requires-Dist: later; platform_release >= "10.0"' >/dev/null
for name in driver fallback later; do release wheel "$name" 1.0 >/dev/null; done
for name in demo driver fallback later; do
    page "$name" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(sha256sum "$served/files/$name-1.0-py3-none-any.whl" | cut -d ' ' -f 1)"}}]}
EOF
done
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
serve
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" demo
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" demo
poetry_project "$work/poetry" demo
(cd "$work/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
pdm_project "$work/pdm" demo
(cd "$work/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
# installs TOOL NAMES: what it installed. (Poetry's environment also has a pip, which does not count.)
installs() { expect "$1 installs" "$(took "$work/$1" / | tr ' ' '\n' | grep -v ^pip- | paste -sd ' ')" "$2"; }
installs pip "demo-1.0"
installs uv "demo-1.0 driver-1.0 later-1.0"
installs pdm "demo-1.0 driver-1.0 later-1.0"
installs poetry "demo-1.0 driver-1.0"
