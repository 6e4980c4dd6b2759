#!/usr/bin/env bash
# The official image's way of starting: root becomes user pypiserver, any other user stays who it is, and
# without arguments gunicorn serves.
set -euo pipefail

become=()
if [[ $EUID -eq 0 ]]; then
    become=(gosu pypiserver)
elif [[ $EUID -ne $(id -u pypiserver) ]]; then
    echo "pypiserver runs as user $EUID, which its authors do not support officially" >&2
fi

usable() { "${become[@]}" test -r "$1" -a -x "$1"; }
writable() { usable "$1" && "${become[@]}" test -w "$1"; }

if [[ $EUID -eq 0 ]]; then
    usable /data || chown -R pypiserver:pypiserver /data || true
    writable /data/packages || chown -R pypiserver:pypiserver /data/packages || true
fi
usable /data || { echo "Cannot start pypiserver: user $EUID must be able to read /data" >&2; exit 1; }
writable /data/packages || { echo "Cannot start pypiserver: user $EUID must be able to write /data/packages" >&2; exit 1; }

if [[ $# -eq 0 ]]; then
    set -- run -p "${PYPISERVER_PORT:-$PORT}" --server gunicorn
fi
exec "${become[@]}" pypi-server "$@"
