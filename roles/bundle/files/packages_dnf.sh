# Download packages with all that they depend on into packages/, with an index that dnf reads.
# sh packages_dnf.sh FOLDER PACKAGE...
# shellcheck shell=sh
set -eu
cd "$1"
shift
mkdir packages root
export LC_ALL=C.UTF-8
# An empty root: what the machine has installed is not what a host has. dnf checks signatures as the repositories ask, with
# the keys that they name.
dnf --assumeyes --quiet --installroot "$PWD/root" --releasever=/ --setopt=reposdir=/etc/yum.repos.d \
    --setopt=varsdir=/etc/dnf/vars --setopt=cachedir="$PWD/cache" --setopt=install_weak_deps=False \
    install --downloadonly --downloaddir "$PWD/packages" "$@"
createrepo_c --quiet packages
