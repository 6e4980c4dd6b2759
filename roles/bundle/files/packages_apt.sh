# Download packages with all that they depend on into packages/, with an index that apt reads.
# sh packages_apt.sh FOLDER PACKAGE...
# shellcheck shell=sh
set -eu
cd "$1"
shift
# The folders that apt wants, here and on a host.
mkdir -p packages/partial packages/lists/partial
# An empty status: what the machine has installed is not what a host has.
: >status
cat >apt.conf <<EOF
Dir::State::status "$PWD/status";
Dir::Cache "$PWD";
Dir::Cache::archives "$PWD/packages";
APT::Install-Recommends "false";
EOF
export APT_CONFIG="$PWD/apt.conf" DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get --quiet --error-on=any update
apt-get --quiet --yes --download-only install "$@"
rm packages/lock
# shellcheck disable=SC2016
for file in packages/*.deb; do
    dpkg-deb --show --showformat '${Package}=${Version}\n' "$file"
done | xargs apt-cache show >packages/Packages
