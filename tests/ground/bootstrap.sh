#!/bin/sh
# Makes .venv with everything of requirements-dev.txt in it; does nothing when that has not changed.
# `bootstrap.sh uv` stops after uv itself.
set -eu
cd "$(dirname "$0")/../.."

fail() { printf 'bootstrap: %s\n' "$1" >&2; exit 1; }
as_root() {
    set -- env ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} "$@"
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs a command, and says that it is alive and how long it took.
beat() { while sleep 15 >/dev/null 2>&1; do echo "$1: still at it … $(($(date +%s) - began)) s"; done; }
step() {
    title="bootstrap: $1"
    shift
    began=$(date +%s)
    beat "$title" &
    beating=$!
    trap 'kill $beating' EXIT
    code=0
    "$@" || code=$?
    kill $beating
    trap - EXIT  # a kill that finds nobody would become this script's exit code
    wait $beating 2>/dev/null || :
    [ $code = 0 ] || return $code
    echo "$title … $(($(date +%s) - began)) s"
}

stamp=.venv/requirements.sha256
sum=$(cat requirements.txt requirements-dev.txt | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$sum" ] && .venv/bin/python -c '' 2>/dev/null && exit 0

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is missing or older than 3.11; install Python 3.11 or name another one: PYTHON=python3.12 $0"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    command -v apt-get >/dev/null || fail "$python cannot make virtual environments; install its venv module"
    log=$(mktemp)
    apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"; }
    # The lists have a lock of their own, for which apt does not wait: a machine that has just booted updates itself.
    update() {
        for _ in $(seq 24); do
            apt update && return
            grep -q lists/lock "$log" || return
            : >"$log"
            sleep 5
        done
        apt update
    }
    install_venv() { { update && apt install --no-install-recommends -y python3-venv; } >>"$log" 2>&1; }
    step "installing python3-venv" install_venv ||
        { tail -n 20 "$log" >&2; fail "python3-venv could not be installed by apt (its output is above)"; }
    rm -f "$log"
    "$python" -c 'import ensurepip, venv' || fail "python3-venv does not belong to $(command -v "$python"); set PYTHON"
fi

# One that was interrupted half-way has a Python, and no pip.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    step "making .venv" "$python" -m venv .venv
fi
uv=$(sed -n 's/^uv==/uv==/p' requirements-dev.txt)
[ -x .venv/bin/uv ] || step "installing $uv" .venv/bin/python -m pip install --quiet --disable-pip-version-check "$uv" ||
    fail "pip could not install $uv; pip's index and certificates come from 'pip config' and PIP_* variables"
[ "${1:-}" = uv ] && exit 0

eval "$(.venv/bin/python -m tests.ground.uvenv)"
export VIRTUAL_ENV="$PWD/.venv"
step "installing requirements-dev.txt into .venv" .venv/bin/uv pip install --quiet -r requirements-dev.txt ||
    fail "uv could not install requirements-dev.txt (its output is above)"
step "compiling it" .venv/bin/python -m tests.ground.bytecode .venv
printf '%s\n' "$sum" >"$stamp"
