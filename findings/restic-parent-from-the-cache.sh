#!/usr/bin/env bash
# restic 0.18.0-1+b4 (Debian 13), which apt-get unpacks into the folder; nothing is installed.
# A host has backed up, and another host has since removed that snapshot from the repository (`restic forget`).
# Behaviour: restic does not look whether a whole snapshot ID is in the repository. `backup --parent` with all 64 digits takes the snapshot
# from this host's cache, and succeeds; with 16 of them it ends with 1. So the option is no proof that a repository has the snapshot.
# `restic snapshots ID` of one that is not there ends with 0. (0.14.0 of Debian 12 refuses the whole ID as well.)
# Seen: 64 digits: 0, using parent snapshot; 16 digits: 1, no matching ID found; snapshots by 16 digits: 0, no matching ID found
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
# Debian 13's list of packages, from the mirror that this machine uses.
mkdir -p "$work"/apt/{lists,cache/archives}/partial
sed -n 's/^URIs: *\(.*\/debian\/*\)$/deb \1 trixie main/p' /etc/apt/sources.list.d/*.sources | sed 1q >"$work/apt/sources.list"
own=(-qq -o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/apt/lists"
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)
apt-get update "${own[@]}"
(cd "$work" && apt-get download "${own[@]}" restic=0.18.0-1+b4 && dpkg-deb -x restic_*.deb restic)
export RESTIC_PASSWORD=any RESTIC_REPOSITORY=$work/repository
# restic HOST WORD…: as a host with a cache of its own.
restic() { "$work/restic/usr/bin/restic" --cache-dir "$work/cache-of-$1" "${@:2}"; }
# ends HOST WORD…: the exit code, and what of the output is worth it.
ends() {
    local code=0
    restic "$@" >"$work/said" 2>&1 || code=$?
    echo "$code $(grep -oE 'using parent snapshot|no matching ID found|^[0-9]+ snapshots' "$work/said" | paste -sd ',')"
}
mkdir "$work/files"
echo hello >"$work/files/one"
restic one init -q
restic one backup -q "$work/files"
id=$(restic one snapshots --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
restic two forget -q "$id"
expect "backup with all digits of the parent" "$(ends one backup --parent "$id" "$work/files")" "0 using parent snapshot"
expect "backup with 16 digits of it" "$(ends one backup --parent "${id:0:16}" "$work/files")" "1 no matching ID found"
expect "snapshots with 16 digits of it" "$(ends one snapshots "${id:0:16}")" "0 no matching ID found"
