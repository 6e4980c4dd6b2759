# Runs in a container of Debian 13 with an engine: a file system that several hosts share, and an address that moves between them.
rm -rf /srv/ground-public
set -e
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install glusterfs-server glusterfs-client keepalived iptables python3
apt-get clean
systemctl enable glusterd.service
systemctl disable keepalived.service
# Each host has its own, or they take each other for themselves.
rm -f /var/lib/glusterd/glusterd.info /srv/setup.sh
