#!/usr/bin/env bash
# uv 0.13.9, pip 26.3.
# An index that wants a login, and the login in ~/.netrc.
# Behaviour: pip sends it with each request. uv sends none at first, is answered 401, and repeats the request with the login; for
# files it starts over, although the page of the same host has wanted one. A HEAD for the size of a file comes without a login, too.
# With `authenticate = "always"` at the index in its settings, uv sends the login at once.
# Seen: pip: no 401; uv: a 401 for the page and for the file; uv with authenticate: no 401
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install pip==26.3 uv==0.13.9
digest=$(release wheel private 1.0)
page private index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "private", "files": [{"filename": "private-1.0-py3-none-any.whl",
 "url": "../../files/private-1.0-py3-none-any.whl", "hashes": {"sha256": "$digest"}}]}
EOF
LOGIN=alice:secret serve
printf 'machine 127.0.0.1\nlogin alice\npassword secret\n' >"$HOME/.netrc"
chmod 600 "$HOME/.netrc"
refused() { sed -n 's/^GET \([^ ]*\) 401 .*/\1/p' "$served/requests" | sort -u | paste -sd ' '; }
"$bin/python" -m pip install --quiet --disable-pip-version-check --target "$work/pip" --index-url "$base/simple/" private
expect "pip was refused at" "$(refused)" ""
rm "$served/requests"
"$bin/uv" pip install --quiet --python "$bin/python" --target "$work/uv" --default-index "$base/simple/" private
expect "uv was refused at" "$(refused)" "/files/private-1.0-py3-none-any.whl /simple/private/"
rm "$served/requests"
mkdir "$work/project"
cat >"$work/project/pyproject.toml" <<EOF
[project]
name = "wants"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["private"]

[[tool.uv.index]]
name = "local"
url = "$base/simple/"
default = true
authenticate = "always"
EOF
(cd "$work/project" && env -u UV_NO_CONFIG "$bin/uv" sync --quiet --python "$bin/python")
expect "uv with authenticate installs" "$(took "$work/project" private)" "private-1.0"
expect "uv with authenticate was refused at" "$(refused)" ""
