#!/bin/sh
# Keys for this image alone: Docker's, the distribution's, a stranger's; and the authority of the server's certificate.
# The private ones go with /build. What tests may know lies in /srv/public.
set -eu
install -d -m 0700 "$GNUPGHOME"
mkdir -p /srv/public /etc/repositories/tls
for name in docker base stranger; do
    gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
        --quick-gen-key "Imitation $name <$name@example.com>" rsa2048 sign never
    gpg --armor --export "$name@example.com" >"/srv/public/$name.asc"
    gpg --with-colons --list-keys "$name@example.com" | awk -F: '/^fpr/ { print $10; exit }' \
        >"/srv/public/$name.fingerprint"
done

cd /build
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Imitation authority' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout authority.key -out /srv/public/authority.crt
openssl req -newkey rsa:2048 -nodes -subj /CN=download.docker.com \
    -keyout /etc/repositories/tls/server.key -out server.csr
cat >server.ext <<'TEXT'
subjectAltName=DNS:download.docker.com,DNS:mirror.example.com
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
TEXT
openssl x509 -req -in server.csr -CA /srv/public/authority.crt -CAkey authority.key -CAcreateserial -days 3650 \
    -extfile server.ext -out /etc/repositories/tls/server.crt
