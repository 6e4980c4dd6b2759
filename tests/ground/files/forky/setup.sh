# Runs in a container of Debian 13: what the next Debian has of engine, Compose and its own name. The rest stays, as systemd
# of the next Debian does not boot on control groups of version 1.
rm -rf /srv/ground-public
set -e
cd /etc/apt
sed '/^$/,$d; s/^Suites:.*/Suites: forky/' sources.list.d/0000trixie.sources >sources.list.d/forky.sources
cat >preferences.d/forky <<'PINS'
Package: *
Pin: release n=forky
Pin-Priority: 100

Package: base-files docker.io docker-cli docker-compose docker-buildx containerd runc
Pin: release n=forky
Pin-Priority: 990
PINS
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install base-files
apt-get clean
grep -q '^VERSION_CODENAME=forky' /etc/os-release
rm -f /srv/setup.sh
