#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, pdm 2.29.4 (with hishel below 2).
# Each can leave out what was uploaded after a date: pip --uploaded-prior-to, uv --exclude-newer, pdm lock --exclude-newer.
# Behaviour: for uv `2026-05-01` ends with that day of the local time zone, for pip it ends as that day begins there, and for PDM as it
# begins in UTC. Without a zone uv drops the time of day too, without a word: `2026-05-01T08:00:00` is the whole day. With a zone they
# agree but for the instant itself: PDM takes a file that was uploaded exactly then, pip and uv do not.
# Seen, release 2.0 of 1 May 12:00 UTC: limit 2026-05-01: pip 1.0, uv 2.0, pdm 1.0; 2026-05-01T08:00:00 in UTC: the same;
# 2026-05-01T08:00:00Z: all 1.0; 2026-05-01T12:00:00Z: pip 1.0, uv 1.0, pdm 2.0; 2026-05-02 in Auckland: pip 1.0, uv 2.0, pdm 2.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
first=$(release wheel dated 1.0)
second=$(release wheel dated 2.0)
page dated index.json <<EOF
{"meta": {"api-version": "1.1"}, "name": "dated", "versions": ["1.0", "2.0"], "files": [
 {"filename": "dated-1.0-py3-none-any.whl", "url": "../../files/dated-1.0-py3-none-any.whl", "hashes": {"sha256": "$first"},
  "size": $(stat -c %s "$served/files/dated-1.0-py3-none-any.whl"), "upload-time": "2026-04-01T00:00:00Z"},
 {"filename": "dated-2.0-py3-none-any.whl", "url": "../../files/dated-2.0-py3-none-any.whl", "hashes": {"sha256": "$second"},
  "size": $(stat -c %s "$served/files/dated-2.0-py3-none-any.whl"), "upload-time": "2026-05-01T12:00:00Z"}]}
EOF
install pdm==2.29.4 'hishel<2'
pdm=$bin/pdm
install pip==26.3 uv==0.13.9
serve
tried=0
# limit ZONE DATE EXPECTED: what each takes in a time zone, with a limit.
limit() {
    tried=$((tried + 1))
    local folder=$work/$tried
    TZ=$1 "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" \
        --uploaded-prior-to "$2" dated
    TZ=$1 "$bin/uv" pip install --quiet --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" \
        --exclude-newer "$2" dated
    pdm_project "$folder/pdm" dated
    (cd "$folder/pdm" && TZ=$1 "$pdm" lock --quiet --exclude-newer "$2" >/dev/null 2>&1)
    local locked
    locked=$(sed -n '/^name = "dated"$/,$s/^version = "\(.*\)"$/\1/p' "$folder/pdm/pdm.lock")
    expect "$1, until $2" "pip $(took "$folder/pip" dated), uv $(took "$folder/uv" dated), pdm dated-$locked" "$3"
}
limit UTC0 2026-05-01 "pip dated-1.0, uv dated-2.0, pdm dated-1.0"
limit UTC0 2026-05-01T08:00:00 "pip dated-1.0, uv dated-2.0, pdm dated-1.0"
limit UTC0 2026-05-01T08:00:00Z "pip dated-1.0, uv dated-1.0, pdm dated-1.0"
limit UTC0 2026-05-01T12:00:00Z "pip dated-1.0, uv dated-1.0, pdm dated-2.0"
limit NZST-12 2026-05-02 "pip dated-1.0, uv dated-2.0, pdm dated-2.0"
