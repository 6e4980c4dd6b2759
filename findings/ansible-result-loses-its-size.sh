#!/usr/bin/env bash
# ansible-core 2.19.4.
# A module's answer has what the module gives to exit_json.
# Behaviour: where that has a key `path` and something is there, exit_json adds owner, group, mode, state and size of it, and these
# replace what the module has said under these names: a module that says how much it has fetched into a folder, as `size`, answers with
# the size of the folder's own entry, and one that says `state: absent` of what it could not remove answers `directory`.
# Seen: size 4096 (whatever the file system gives) in place of 123456789, state directory in place of absent; under the key `folder` in
# place of `path`, both are as the module gave them.
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install ansible-core==2.19.4
export ANSIBLE_HOME=$work/home/.ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PYTHON_INTERPRETER=$bin/python ANSIBLE_LIBRARY=$work/library
mkdir -p "$ANSIBLE_LIBRARY" "$work/fetched"
cat >"$ANSIBLE_LIBRARY/collect_files.py" <<'EOF'
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"key": {"type": "str"}, "folder": {"type": "str"}})
module.exit_json(changed=False, size=123456789, state="absent", **{module.params["key"]: module.params["folder"]})
EOF
# said KEY: size, and state, where the folder is told under that key.
said() {
    "$bin/ansible" -i localhost, -c local -m collect_files -a "key=$1 folder=$work/fetched" all >"$work/said" 2>&1
    "$bin/python" - "$work/said" "$work/fetched" <<'EOF'
import json, os, sys

answer = open(sys.argv[1]).read()
said = json.loads(answer[answer.index("{") :])
size = {123456789: "the module's", os.stat(sys.argv[2]).st_size: "the folder's"}[said["size"]]
print(f"{size} size, {said['state']}")
EOF
}
expect "under path" "$(said path)" "the folder's size, directory"
expect "under folder" "$(said folder)" "the module's size, absent"
