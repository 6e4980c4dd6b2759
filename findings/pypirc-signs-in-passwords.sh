#!/usr/bin/env bash
# twine 7.0.0, flit 4.2.0, hatch 1.18.2, maturin 1.16.0.
# A login in ~/.pypirc, whose password has one of the signs `%`, `;` and `#`; each tool publishes the same wheel by that file.
# Behaviour: the four tools share the file, and read it by different rules. twine and flit take the password as it is written. hatch takes
# `%` for the beginning of another setting's name, and ends with a traceback. For maturin a comment begins with `;` or `#` anywhere in a
# line, so it sends what is before the sign, and gets a 401. By variables of the environment both send it whole.
# Seen: half%way: twine, flit and maturin publish; half;way and half#way: twine, flit and hatch; by variables hatch and maturin do too.
# hatch's traceback names InterpolationSyntaxError; maturin publishes by "password = half;way" where the password is "half"
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install twine==7.0.0
twine=$bin
install flit==4.2.0
flit=$bin
install hatch==1.18.2
hatch=$bin
install maturin==1.16.0
maturin=$bin
release wheel demo 1.0 >/dev/null
wheel=$served/files/demo-1.0-py3-none-any.whl
flit_project "$work/project" demo
by_twine() { "$twine/twine" upload --non-interactive --disable-progress-bar --repository local "$wheel"; }
by_flit() { (cd "$work/project" && PATH=$flit:$PATH "$flit/flit" publish --repository local --format wheel); }
by_hatch() { "$hatch/hatch" publish --no-prompt --repo "$base/" "$wheel"; }
by_maturin() { "$maturin/maturin" upload "${place[@]}" "$wheel"; }
# published TOOL…: those of them whose upload was taken; what they say is kept in said-TOOL.
published() {
    local tool
    for tool; do
        if "by_$tool" >"$work/said-$tool" 2>&1 </dev/null; then echo "$tool"; fi
    done | paste -sd ' '
}
# index_of PASSWORD WRITTEN: an index that wants a password, and ~/.pypirc with what is written there.
index_of() {
    rm -f "$served/port"
    LOGIN="publisher:$1" serve
    cat >"$HOME/.pypirc" <<INI
[distutils]
index-servers =
    local

[local]
repository = $base/
username = publisher
password = $2
INI
    place=(--repository local)
}
# check PASSWORD EXPECTED
check() {
    index_of "$1" "$1"
    expect "$1" "$(published twine flit hatch maturin)" "$2"
    rm "$HOME/.pypirc"
    place=(--repository-url "$base/")
    export HATCH_INDEX_USER=publisher HATCH_INDEX_AUTH=$1 MATURIN_USERNAME=publisher MATURIN_PASSWORD=$1
    expect "$1, by variables" "$(published hatch maturin)" "hatch maturin"
    unset HATCH_INDEX_USER HATCH_INDEX_AUTH MATURIN_USERNAME MATURIN_PASSWORD
    kill "$server"
}
# says TOOL WORD PASSWORD: the word that a tool says of that password.
says() {
    index_of "$3" "$3"
    expect "$1 of $3" "$(published "$1") $(grep --only-matching --max-count 1 "$2" "$work/said-$1")" " $2"
    kill "$server"
}
check halfway "twine flit hatch maturin"
check 'half%way' "twine flit maturin"
check 'half;way' "twine flit hatch"
check 'half#way' "twine flit hatch"
says hatch InterpolationSyntaxError 'half%way'
says maturin 401 'half;way'
for written in 'half;way' 'half#way'; do
    index_of half "$written"
    expect "half, written as $written" "$(published twine flit hatch maturin)" "maturin"
    kill "$server"
done
