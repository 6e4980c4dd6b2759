#!/bin/sh
# RPMs to /build/rpms, Debian packages to /build/pool/<suite>.
set -eu
printf '%s\n' /build/stubs.spec /build/specs/*.spec | xargs -P 2 -n 1 rpmbuild -bb --quiet

cat >/build/make-deb <<'SCRIPT'
#!/bin/sh
set -eu
suite=$(basename "$(dirname "$1")")
tree=/build/trees/$suite/$(basename "$1")
mkdir -p "/build/pool/$suite" "$tree"
cp -al "/build/stage/$(basename "$1")/." "$tree"
cp -a "$1" "$tree/DEBIAN"
version=$(sed -n 's/^Version: \([0-9]*:\)\{0,1\}//p' "$1/control")
name=$(sed -n 's/^Package: //p' "$1/control")_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group -Zzstd -z1 --build "$tree" "/build/pool/$suite/$name" >/dev/null
SCRIPT
chmod +x /build/make-deb
printf '%s\n' /build/control/*/* | xargs -P 2 -n 1 /build/make-deb
