#!/bin/sh
# Docker's repository and the distribution's, and each bad one below a path of its own: the good one, but for what its
# name says. What is the same is a hard link.
set -eu
machine=$(uname -m)
below=linux/centos/9/$machine/stable
good=/srv/www/$below

sign() {
    key=$1
    shift
    rpmsign --define "_gpg_name $key@example.com" --addsign "$@" >/dev/null
}

index() {
    createrepo_c --quiet "$2"
    [ "$1" = nobody ] || gpg --batch --armor --detach-sign --local-user "$1@example.com" "$2/repodata/repomd.xml"
}

# A repository like the good one, without its index.
like_good() {
    mkdir -p "/srv/www/$1/$below"
    cp -al "$good/Packages" "/srv/www/$1/$below/"
    cp /srv/public/docker.asc "/srv/www/$1/linux/centos/gpg"
}

mkdir -p "$good/Packages" /build/unsigned
cp "/build/rpms/$machine"/*.rpm "$good/Packages/"
# All versions of one package that nobody can do without.
cp "$good"/Packages/docker-ce-cli-*.rpm /build/unsigned/
sign docker "$good"/Packages/*.rpm
cp /srv/public/docker.asc /srv/www/linux/centos/gpg
ln -s centos /srv/www/linux/rhel
cat >/srv/www/linux/centos/docker-ce.repo <<'TEXT'
[docker-ce-stable]
name=Docker CE Stable - $basearch
baseurl=https://download.docker.com/linux/centos/$releasever/$basearch/stable
enabled=1
gpgcheck=1
gpgkey=https://download.docker.com/linux/centos/gpg
TEXT

like_good unsigned
cp --remove-destination /build/unsigned/*.rpm "/srv/www/unsigned/$below/Packages/"

like_good wrong-key
sign stranger /build/unsigned/*.rpm
cp --remove-destination /build/unsigned/*.rpm "/srv/www/wrong-key/$below/Packages/"

# Altered after it was signed, by somebody who could write the index as well.
like_good altered
for package in "/srv/www/altered/$below"/Packages/docker-ce-cli-*.rpm; do
    cp "$package" /build/altered
    printf XXXX | dd of=/build/altered bs=1 seek=$(($(stat -c %s /build/altered) - 4096)) conv=notrunc status=none
    cp --remove-destination /build/altered "$package"
done

index docker "$good"
index nobody "/srv/www/unsigned/$below"
index stranger "/srv/www/wrong-key/$below"
index docker "/srv/www/altered/$below"

base=/srv/www/rocky/9/BaseOS/$machine/os
mkdir -p "$base/Packages"
cp /build/rpms/noarch/*.rpm "$base/Packages/"
sign base "$base"/Packages/*.rpm
cp /srv/public/base.asc /srv/www/rocky/RPM-GPG-KEY
index base "$base"
