#!/usr/bin/env bash
# ansible-core 2.19.4, with pip 26.3 in the environment that it fills.
# The module `pip` documents full support of check mode: `--check` says whether a run would change anything.
# Behaviour: check mode asks no index. With `requirements` and with `state: latest` it says "changed" always, though a run changes nothing.
# Of `extra[fast]` it looks at `extra` alone, and says "unchanged" where a run installs what the extra needs.
# Seen, check and then run: requirements: true false; latest: true false; an extra whose dependency is missing: false true; a pin, twice:
# true true, false false
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
release wheel demo 1.0 >/dev/null
release wheel extra 1.0 'Provides-Extra: fast' 'Requires-Dist: demo; extra == "fast"' >/dev/null
for name in demo extra; do
    page "$name" index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "$name", "files": [
 {"filename": "$name-1.0-py3-none-any.whl", "url": "../../files/$name-1.0-py3-none-any.whl",
  "hashes": {"sha256": "$(sha256sum "$served/files/$name-1.0-py3-none-any.whl" | cut -d ' ' -f 1)"}}]}
EOF
done
echo demo==1.0 >"$work/requirements.txt"
install ansible-core==2.19.4
ansible=$bin
install pip==26.3
serve
export ANSIBLE_HOME=$work/home/.ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PYTHON_INTERPRETER=$ansible/python PIP_INDEX_URL=$base/simple/
# changed ARGUMENTS [--check]: what the module says.
changed() {
    "$ansible/ansible" localhost -i localhost, -c local -o -m ansible.builtin.pip -a "virtualenv=${bin%/bin} $1" "${@:2}" 2>&1 |
        sed -n 's/.*SUCCESS => .*"changed": \([a-z]*\).*/\1/p; s/.*CHANGED => .*"changed": \([a-z]*\).*/\1/p'
}
# both WHAT ARGUMENTS EXPECTED: in check mode, and in a run.
both() { expect "$1" "check $(changed "$2" --check), run $(changed "$2")" "$3"; }
both "a pin" "name=demo==1.0" "check true, run true"
both "a pin, again" "name=demo==1.0" "check false, run false"
both "requirements, installed already" "requirements=$work/requirements.txt" "check true, run false"
both "state=latest, installed already" "name=demo state=latest" "check true, run false"
"$bin/python" -m pip install --quiet --disable-pip-version-check extra
"$bin/python" -m pip uninstall --quiet --yes demo
both "an extra whose dependency is missing" "name=extra[fast]" "check false, run true"
