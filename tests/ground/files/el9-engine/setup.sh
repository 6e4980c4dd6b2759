# Runs in a container of the stand-in: the engine from the imitated repository, as an administrator installs it.
cp /srv/ground-public/authority.crt /usr/local/share/ca-certificates/
update-ca-certificates
curl --fail --silent --show-error --retry 20 --retry-connrefused --retry-delay 1 \
    --output /etc/yum.repos.d/docker-ce.repo https://download.docker.com/linux/centos/docker-ce.repo
version=26.1.5
dnf --assumeyes install "docker-ce-$version" "docker-ce-cli-$version" containerd.io docker-compose-plugin
systemctl enable docker.service

# A host that knows nothing of the repository yet, and trusts nobody in particular.
rm -rf /etc/yum.repos.d/docker-ce.repo /usr/local/share/ca-certificates/authority.crt /srv/ground-public /srv/setup.sh
update-ca-certificates --fresh
rpm --erase --allmatches gpg-pubkey
dnf clean all
