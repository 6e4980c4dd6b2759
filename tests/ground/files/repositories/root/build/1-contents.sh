#!/bin/sh
# What goes into Docker's packages, taken from Debian's: /build/stage/<package>-<version>/…
set -eu
mkdir -p /build/debs /build/from /build/lists/partial
chown _apt /build/debs
cd /build/debs

# From this root's own suite, and from another: together, apt would prefer the newest of all.
# shellcheck source=/dev/null
. /etc/os-release
set -- -o Dir::Etc::SourceList=/build/other.sources -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=/build/lists
awk -v own="$VERSION_CODENAME" '$1 == own { print $2 }' /build/downloads | xargs apt-get -q download
apt-get -q "$@" update
awk -v own="$VERSION_CODENAME" '$1 != own { print $2 }' /build/downloads | xargs apt-get -q "$@" download

while read -r suite name start; do
    file=$(echo "$name"_*.deb)
    case $(dpkg-deb --field "$file" Version) in
    "$start"*) ;;
    *) echo "$file: version $start was expected in $suite; packages.py says what it is repacked as" >&2; exit 1 ;;
    esac
    dpkg-deb --extract "$file" "/build/from/$name"
done </build/downloads

# The vendor's place for the daemon.
sed -i 's:/usr/sbin/dockerd:/usr/bin/dockerd:' /build/from/docker.io/usr/lib/systemd/system/docker.service

built=$(cat /build/engine-built)
tab=$(printf '\t')
while IFS=$tab read -r package version source target; do
    mkdir -p "/build/stage/$package/$(dirname "$target")"
    ln "/build/from/$source" "/build/stage/$package/$target"
    case $target in
    usr/bin/dockerd | usr/bin/docker)
        # The binary says which version it is: that of the package, in as many letters.
        [ "$version" = "$built" ] || LC_ALL=C sed -i "s/$built/$version/g" "/build/stage/$package/$target"
        grep -q -a "$version" "/build/stage/$package/$target"
        ;;
    esac
done </build/contents
