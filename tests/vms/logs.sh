#!/usr/bin/env bash
# Write what the virtual machine knows about a failure into .cache/vm/*.log. What does not answer is left out.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../../.cache/vm" || exit

in_vm() {
    ssh -i key -p 2222 -o BatchMode=yes -o ConnectTimeout=10 -o UserKnownHostsFile=known_hosts ansible@127.0.0.1 "$@" 2>&1
}
in_vm sudo journalctl --boot --no-pager >journal.log
in_vm sudo cat /var/log/cloud-init-output.log >cloud-init.log
in_vm sudo docker ps --all >docker.log
in_vm "sudo docker ps --all --quiet | xargs --no-run-if-empty --max-args 1 --verbose sudo docker logs --tail 200" >>docker.log
in_vm "sudo grep -E '^type=(AVC|USER_AVC|SELINUX_ERR) ' /var/log/audit/audit.log" >denials.log
exit 0
