#!/usr/bin/env bash
# bandersnatch 6.8.0.
# Its filter `prerelease_release` is to keep pre-releases out of a mirror. PEP 440 says which versions are pre-releases; a local version
# (1.0+cuda12) is a build of its release.
# Behaviour: the filter looks at how the text of a version ends: with a, b, rc or dev, and digits. So it leaves out the builds 1.0+cuda12 and
# 1.0+g3c41fb7 of a final release, and mirrors pre-releases that end otherwise: 2.0rc1.post1, 2.0rc1+cu1, 2.0c2, 2.0.dev1+g3c41f9d. Where a
# build is named after a commit, the commit's last digits decide. (8.0.0, for Python 3.12 or later, has the same rule.)
# Seen, of these and of 1.0 and 2.0rc1: left out 1.0+cuda12 1.0+g3c41fb7 2.0rc1; without the filter nothing is left out
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
versions=(1.0 1.0+cuda12 1.0+g3c41fb7 2.0rc1 2.0rc1.post1 2.0rc1+cu1 2.0c2 2.0.dev1+g3c41f9d)
for version in "${versions[@]}"; do release wheel demo "$version" >/dev/null; done
ln -s files "$served/packages"
install bandersnatch==6.8.0
SERIAL=1 serve
# The project's releases, as the public index describes them: {"releases": {version: [file, …]}, …}.
mkdir -p "$served/pypi/demo/json"
python3 - "$served/files" "$base" >"$served/pypi/demo/json/index.json" <<'EOF'
import hashlib, json, pathlib, sys, urllib.parse
folder, base = sys.argv[1:]
releases = {}
for path in pathlib.Path(folder).iterdir():
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = {"filename": path.name, "packagetype": "bdist_wheel", "size": path.stat().st_size, "digests": {"sha256": digest}}
    entry |= {"url": f"{base}/packages/{urllib.parse.quote(path.name)}", "requires_python": None, "yanked": False}
    entry |= {"upload_time_iso_8601": "2026-01-01T00:00:00.000000Z"}
    releases[path.name.split("-")[1]] = [entry]
print(json.dumps({"info": {"name": "demo", "version": "1.0"}, "last_serial": 1, "releases": releases}))
EOF
# left_out FILTER: the versions that are not in the mirror.
left_out() {
    cat >"$work/$1.conf" <<EOF
[mirror]
directory = $work/$1
master = $base
allow-non-https = true
workers = 1

[plugins]
enabled = $1
EOF
    "$bin/bandersnatch" --config "$work/$1.conf" sync demo >"$work/said" 2>&1
    find "$work/$1/web/packages" -name '*.whl' -printf '%f\n' | cut -d - -f 2 | sort >"$work/mirrored"
    printf '%s\n' "${versions[@]}" | sort | comm -23 - "$work/mirrored" | paste -sd ' '
}
# pre_releases: those that PEP 440 calls so.
pre_releases() {
    "$bin/python" - "${versions[@]}" <<'EOF'
import sys
from packaging.version import Version
print(" ".join(sorted(text for text in sys.argv[1:] if Version(text).is_prerelease)))
EOF
}
expect "pre-releases" "$(pre_releases)" "2.0.dev1+g3c41f9d 2.0c2 2.0rc1 2.0rc1+cu1 2.0rc1.post1"
expect "left out without a filter" "$(left_out exclude_platform)" ""
expect "left out by prerelease_release" "$(left_out prerelease_release)" "1.0+cuda12 1.0+g3c41fb7 2.0rc1"
