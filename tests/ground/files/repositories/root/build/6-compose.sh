#!/bin/sh
# The Compose plugin as a single file, as distributions without a package of it have to take it; and the end.
set -eu
version=$(cat /build/compose-version)
folder=/srv/www/compose/v$version
name=docker-compose-linux-$(uname -m)
mkdir -p "$folder"
cp "/build/stage/docker-compose-plugin-$version/usr/libexec/docker/cli-plugins/docker-compose" "$folder/$name"
cd "$folder"
sha256sum "$name" | tee "$name.sha256" >/srv/public/compose.sha256
chmod -R a+rX /srv/www /srv/public
# Nothing of the build may run on in this root.
gpgconf --kill all
