#!/usr/bin/env bash
# ansible-core 2.19.4.
# A module may return keys of its own beside the common ones (changed, failed, skipped, msg, rc, ...); `unreachable` is not among those
# that the page on return values lists.
# Behaviour: where a module's answer has a true value `unreachable`, such as a list of peers that it could not ask, Ansible takes the host
# that answered for unreachable: it ends the host's play, `register`, `ignore_errors` and `failed_when` notwithstanding, and exits with 4.
# Seen: "unreachable=1" in the recap and exit code 4 for a list; for an empty list the next task runs, and the code is 0.
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install ansible-core==2.19.4
export ANSIBLE_HOME=$work/home/.ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PYTHON_INTERPRETER=$bin/python ANSIBLE_LIBRARY=$work/library
mkdir -p "$ANSIBLE_LIBRARY"
cat >"$ANSIBLE_LIBRARY/peers.py" <<'EOF'
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"away": {"type": "list", "elements": "str"}})
module.exit_json(changed=False, unreachable=module.params["away"])
EOF
cat >"$work/play.yml" <<'EOF'
- hosts: all
  gather_facts: false
  tasks:
    - name: Ask
      peers:
        away: "{{ away }}"
      register: asked
      ignore_errors: true
      failed_when: false
    - name: Go on
      ansible.builtin.debug:
        msg: went on
EOF
# said AWAY: the exit code, how many hosts are unreachable, and whether the play went on.
said() {
    local code=0
    "$bin/ansible-playbook" -i localhost, -c local -e "{\"away\": $1}" "$work/play.yml" >"$work/said" 2>&1 || code=$?
    echo "code $code, $(grep -o 'unreachable=[0-9]*' "$work/said"), $(grep -c '"msg": "went on"' "$work/said" || true) went on"
}
expect "a list with a name in it" "$(said '["peer-2"]')" "code 4, unreachable=1, 0 went on"
expect "an empty list" "$(said '[]')" "code 0, unreachable=0, 1 went on"
