# Download packages with all that they depend on into packages/, with an index that dnf reads.
# sh packages_dnf.sh FOLDER PACKAGE...
# shellcheck shell=sh
set -eu
cd "$1"
shift
mkdir packages rpmdb
export LC_ALL=C.UTF-8
# --alldeps: what the machine has installed is not what a host has.
dnf --assumeyes --quiet --setopt=cachedir="$PWD/cache" --setopt=install_weak_deps=False \
    download --resolve --alldeps --destdir packages "$@"
# dnf download checks no signatures. The keys are those of the distribution and of Docker's repository.
for key in /etc/pki/rpm-gpg/*; do
    # A file beside the keys may be something else.
    rpmkeys --dbpath "$PWD/rpmdb" --import "$key" 2>/dev/null || true
done
rpmkeys --dbpath "$PWD/rpmdb" --define '_pkgverify_level all' --checksig packages/*.rpm
createrepo_c --quiet packages
