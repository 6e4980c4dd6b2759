#!/bin/sh
# Docker's repository for Debian, and each bad one below a path of its own: the good one, but for what its name says.
# What is the same is a hard link.
set -eu
architecture=$(dpkg --print-architecture)

# Folder of a suite, the key that signs it, and a line for its Release file.
release() {
    apt-ftparchive -o "APT::FTPArchive::Release::Origin=Docker" -o "APT::FTPArchive::Release::Label=Docker CE" \
        -o "APT::FTPArchive::Release::Suite=$(basename "$1")" -o "APT::FTPArchive::Release::Codename=$(basename "$1")" \
        -o "APT::FTPArchive::Release::Architectures=$architecture" -o "APT::FTPArchive::Release::Components=stable" \
        release "$1" >/build/Release
    [ -z "${3:-}" ] || sed -i "/^Date:/a $3" /build/Release
    cp --remove-destination /build/Release "$1/Release"
    rm -f "$1/InRelease" "$1/Release.gpg"
    [ "$2" != nobody ] || return 0
    gpg --batch --digest-algo SHA256 --local-user "$2@example.com" --clearsign --output "$1/InRelease" "$1/Release"
    gpg --batch --digest-algo SHA256 --local-user "$2@example.com" --armor --detach-sign \
        --output "$1/Release.gpg" "$1/Release"
}

good=/srv/www/linux/debian
mkdir -p "$good"
cp /srv/public/docker.asc "$good/gpg"
cd "$good"
for suite in /build/pool/*; do
    suite=${suite##*/}
    pool=dists/$suite/pool/stable/$architecture
    index=dists/$suite/stable/binary-$architecture
    mkdir -p "$pool" "$index"
    cp "/build/pool/$suite"/*.deb "$pool/"
    apt-ftparchive packages "$pool" >"$index/Packages"
    gzip --keep "$index/Packages"
    release "$PWD/dists/$suite" docker
done

for bad in unsigned wrong-key altered expired; do
    mkdir -p "/srv/www/$bad/linux"
    cp -al "$good" "/srv/www/$bad/linux/"
done
for suite in /build/pool/*; do
    suite=${suite##*/}
    release "/srv/www/unsigned/linux/debian/dists/$suite" nobody
    release "/srv/www/wrong-key/linux/debian/dists/$suite" stranger
    release "/srv/www/expired/linux/debian/dists/$suite" docker "Valid-Until: $(LC_ALL=C date -Ru -d '1 day ago')"
    for package in "/srv/www/altered/linux/debian/dists/$suite/pool/stable/$architecture"/docker-ce-cli_*.deb; do
        cp "$package" /build/altered
        printf XXXX | dd of=/build/altered bs=1 seek=$(($(stat -c %s /build/altered) - 4096)) conv=notrunc status=none
        cp --remove-destination /build/altered "$package"
    done
done
chmod -R a+rX /srv/www /srv/public
# Nothing of the build may run on in this root.
gpgconf --kill all
