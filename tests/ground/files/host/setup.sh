# Runs inside the new root of every host image.
systemctl enable procsys-net.service

# What belongs to a machine and not to a container; it fails or hangs here.
systemctl mask systemd-modules-load.service systemd-sysctl.service systemd-udevd.service systemd-logind.service \
    getty.target console-getty.service systemd-networkd-wait-online.service

update-ca-certificates

# SSH is off until a scenario wants it. A system account, so that the first person's number stays free.
rm -f /etc/ssh/ssh_host_*
systemctl disable ssh.service
useradd --system --create-home --shell /bin/bash admin
chmod 0440 /etc/sudoers.d/admin

# A host that never ran `apt update`: Ansible's cache_valid_time takes a fresh folder for fresh lists.
rm -f /var/lib/apt/periodic/update-success-stamp
touch -d @0 /var/lib/apt/lists
