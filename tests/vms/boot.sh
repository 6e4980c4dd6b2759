#!/usr/bin/env bash
# Boot a cloud image as a virtual machine that Ansible reaches by tests/vms/hosts.yml:
#
#   tests/vms/boot.sh <URL of the image> <URL of its checksums>
#
# .cache/vm gets the image, the machine's disk, its key, its process id (vm.pid) and what it writes on its console. Port 2222 of
# this machine leads to its SSH, port 8080 to its port 80. Without KVM, and with VM_ACCELERATOR=tcg where KVM does not work, the
# machine runs many times slower.
set -euo pipefail

url=$1
sums=$2
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p .cache/vm
cd .cache/vm

# Whatever else is in a list of checksums: the image has to be in it.
download=(curl --fail --silent --show-error --location --retry 5)
"${download[@]}" --output image "$url"
"${download[@]}" --output sums "$sums"
case $sums in
*512*) digest=$(sha512sum image) ;;
*) digest=$(sha256sum image) ;;
esac
grep --fixed-strings "${digest%% *}" sums || {
    echo "$url is not what $sums lists: its digest is ${digest%% *}" >&2
    exit 1
}

# The host as a team would order it: an account with sudo and a key. Where there is SELinux, Docker confines containers by it.
rm -f key key.pub known_hosts
ssh-keygen -q -t ed25519 -N '' -C wheelhouse -f key
cat >user-data <<YAML
#cloud-config
users:
  - name: ansible
    sudo: ALL=(ALL) NOPASSWD:ALL
    shell: /bin/bash
    lock_passwd: true
    ssh_authorized_keys:
      - $(cat key.pub)
bootcmd:
  - |
    if [ -e /sys/fs/selinux/enforce ] && [ ! -e /etc/docker/daemon.json ]; then
        mkdir -p /etc/docker
        echo '{"selinux-enabled": true}' >/etc/docker/daemon.json
    fi
YAML
printf 'instance-id: %s\nlocal-hostname: vm\n' "$(cat /proc/sys/kernel/random/uuid)" >meta-data
cloud-localds seed.img user-data meta-data
qemu-img create -q -f qcow2 -F qcow2 -b image disk.qcow2 20G

# The seed is a disk of virtio, because kernels for clouds may lack drivers of other drives. romfile= keeps the firmware from
# booting over the network.
qemu-system-x86_64 \
    -name vm -daemonize -pidfile vm.pid -display none -monitor none -serial file:console.log \
    -machine "q35,accel=${VM_ACCELERATOR:-kvm:tcg}" -cpu max -smp 2 -m 4096 \
    -drive file=disk.qcow2,if=virtio,format=qcow2,discard=unmap \
    -drive file=seed.img,if=virtio,format=raw,readonly=on \
    -netdev user,id=net,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:8080-:80 \
    -device virtio-net-pci,netdev=net,romfile= \
    -device virtio-rng-pci

in_vm=(ssh -i key -p 2222 -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=accept-new
    -o UserKnownHostsFile=known_hosts ansible@127.0.0.1)
until "${in_vm[@]}" true 2>ssh.log; do
    if [ $SECONDS -gt 600 ] || ! kill -0 "$(cat vm.pid)"; then
        echo "the machine does not answer by SSH; the end of its console:" >&2
        tail --lines 50 ssh.log console.log >&2
        exit 1
    fi
    sleep 3
done
# 2: it is done and warns of something.
"${in_vm[@]}" cloud-init status --wait --long || [ $? = 2 ]
"${in_vm[@]}" grep PRETTY_NAME /etc/os-release
