#!/usr/bin/env bash
# pip-tools 7.6.2.
# `pip-compile --generate-hashes` against a page in JSON that has the SHA-256 of every file, as pages have.
# Behaviour: it does not use them. It takes `simple` off the index's address, asks there for `<project>/json`, and where there is none
# downloads every file of the pinned release, for all platforms, to hash them itself.
# Seen: GET /hashed/json 404, and then each of the three wheels, two of them for other systems
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install pip-tools==7.6.2 'pip==26.3'
digest=$(release wheel hashed 1.0)
files=
for tags in py3-none-any cp311-cp311-win_arm64 cp311-cp311-macosx_11_0_arm64; do
    name=hashed-1.0-$tags.whl
    if [ ! -e "$served/files/$name" ]; then cp "$served/files/hashed-1.0-py3-none-any.whl" "$served/files/$name"; fi
    files+=${files:+,}'{"filename": "'$name'", "url": "../../files/'$name'", "hashes": {"sha256": "'$digest'"}}'
done
page hashed index.json <<<'{"meta": {"api-version": "1.0"}, "name": "hashed", "files": ['"$files"']}'
serve
echo hashed >"$work/requirements.in"
(cd "$work" && "$bin/pip-compile" --quiet --strip-extras --generate-hashes --no-emit-index-url --cache-dir "$work/cache" \
    --index-url "$base/simple/" requirements.in)
expect "asked beside the index" "$(grep -o 'GET /hashed/json 404' "$served/requests")" "GET /hashed/json 404"
expect "wheels downloaded to be hashed" \
    "$(sed -n '/json 404/,$p' "$served/requests" | grep -o 'GET [^ ]*whl' | sort -u | wc -l)" 3
