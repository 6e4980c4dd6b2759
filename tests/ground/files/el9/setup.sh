# Runs inside the new root: Debian's userland takes the shape of EL9.
ln -sf redhat-release /etc/system-release
ln -sf redhat-release /etc/rocky-release
cp --remove-destination /etc/os-release /usr/lib/os-release
rm -f /etc/debian_version /etc/lsb-release /etc/dpkg/origins/*
ln -sf dnf-3 /usr/bin/yum
mkdir -p /etc/pki/tls/certs /etc/pki/rpm-gpg
ln -s /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt
# Debian's plugin that keeps each package that was ever downloaded.
sed -i 's/^enabled.*/enabled = false/' /etc/dnf/plugins/local.conf

# The package database knows by stubs what is here by Debian's packages: dnf finds nothing else to build on.
rpmbuild -bb --quiet --define '_topdir /build/rpmbuild' --define '_rpmdir /build/rpms' /build/stubs.spec
rpm --install --nodeps --justdb /build/rpms/*/*.rpm
rm -rf /build
