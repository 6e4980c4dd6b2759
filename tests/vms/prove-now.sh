#!/usr/bin/env bash
# Set up an index on a bare host, use it as people do, and look at the host:
#
#   tests/vms/prove.sh <inventory> <address of the index> [options of ansible-playbook]
#
# ansible-playbook, the installed collection and twine are on the path. The users are those of tests/vms/hosts.yml.
set -euo pipefail

inventory=$1
index=$2
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
began=$(date +%s)
play() { ansible-playbook --inventory "$inventory" "$@"; }
heading() { printf '\n=== %s\n' "$*"; }

heading The run
play wheelhouse.pypi.site "$@"

heading A second run changes nothing
play wheelhouse.pypi.site "$@" | tee "$work/second"
grep --extended-regexp ': ok=[0-9]+ +changed=0 +unreachable=0 +failed=0 ' "$work/second"

heading A package is published and installed
cp -r tests/ground/files/hello-wheelhouse "$work/hello"
python3 -m pip wheel --quiet --no-deps --wheel-dir "$work/dist" "$work/hello"
TWINE_USERNAME=publisher TWINE_PASSWORD=publisher-password \
    twine upload --non-interactive --disable-progress-bar --repository-url "$index/" "$work"/dist/*
python3 -m venv "$work/client"
PIP_CONFIG_FILE=/dev/null PIP_INDEX_URL="${index/:\/\//://reader:reader-password@}/simple/" \
    "$work/client/bin/python" -m pip install --no-cache-dir hello-wheelhouse
"$work/client/bin/python" -m hello_wheelhouse

heading 'Strangers get nothing, and readers cannot publish'
answers() { curl --silent --output /dev/null --write-out '%{http_code}' "$@"; }
expect() {
    echo "$2: $3"
    [ "$1" = "$3" ]
}
expect 401 "a page without a login" "$(answers "$index/simple/hello-wheelhouse/")"
expect 200 "a page as a reader" "$(answers --user reader:reader-password "$index/simple/hello-wheelhouse/")"
expect 403 "an upload as a reader" "$(answers --user reader:reader-password --form :action=file_upload "$index/")"

heading The host
play tests/vms/look.yml --extra-vars "began=$began"
