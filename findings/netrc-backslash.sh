#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2), each with Python 3.11 or later, and pycurl 7.49.0 (libcurl 8.23.0).
# The login of an index is in ~/.netrc, and its password has a backslash. Python's documentation, to which pip's leads, allows all ASCII
# punctuation in passwords, and speaks of no escapes.
# Behaviour: pip, uv, poetry and PDM drop a backslash, and take what follows it as it is: a\b logs in as ab, and is refused. For curl a
# backslash is a letter like any other, but in double quotes: `curl --netrc` is let in by the very file that fails for them, and refused with
# the doubled backslash that they need. In double quotes a doubled backslash is one for all.
# Seen, password a\b written as a\b: curl alone is let in; as a\\b: all but curl; as "a\\b": all
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
digest=$(release wheel private 1.0)
page private index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "private", "files": [{"filename": "private-1.0-py3-none-any.whl",
 "url": "../../files/private-1.0-py3-none-any.whl", "hashes": {"sha256": "$digest"}}]}
EOF
install pycurl==7.49.0
curl=$bin/python
four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
LOGIN='alice:a\b' serve
unset NETRC
export PDM_NON_INTERACTIVE=1
# let_in: the tools that get the page with this ~/.netrc, by what they install, or the status that they are answered with.
let_in() {
    local folder
    folder=$(mktemp -d "$work/try.XXXX")
    {
        "$bin/python" -m pip install --no-input --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" private || true
        "$bin/uv" pip install --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" private || true
        poetry_project "$folder/poetry" private
        (cd "$folder/poetry" && "$poetry" install --no-interaction --no-cache) || true
        pdm_project "$folder/pdm" private
        (cd "$folder/pdm" && "$pdm" install) || true
        mkdir -p "$folder/curl"
        "$curl" - "$base/simple/private/" "$folder/curl" <<'EOF'
import pathlib, pycurl, sys
address, folder = sys.argv[1:]
request = pycurl.Curl()
request.setopt(pycurl.URL, address)
request.setopt(pycurl.NETRC, pycurl.NETRC_OPTIONAL)
request.setopt(pycurl.WRITEFUNCTION, len)
request.perform()
if request.getinfo(pycurl.RESPONSE_CODE) == 200:
    pathlib.Path(folder, "private-1.0.dist-info").mkdir()
EOF
    } >"$folder/said" 2>&1
    for tool in pip uv poetry pdm curl; do
        if [ "$(took "$folder/$tool" private 2>/dev/null)" = private-1.0 ]; then echo "$tool"; fi
    done | paste -sd ' '
}
# written TEXT EXPECTED: what it does as the password in ~/.netrc.
written() {
    printf 'machine 127.0.0.1\nlogin alice\npassword %s\n' "$1" >"$HOME/.netrc"
    chmod 600 "$HOME/.netrc"
    expect "written as $1" "$(let_in)" "$2"
}
written 'a\b' "curl"
written 'a\\b' "pip uv poetry pdm"
written '"a\\b"' "pip uv poetry pdm curl"
