#!/bin/sh
# A slapd with a certificate for the host's address, as the unit `directory`.
set -eu
cd /srv/directory
systemctl mask --quiet slapd.service 2>/dev/null
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends --yes slapd ldap-utils >/dev/null

new_key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
# shellcheck disable=SC2086 # several words
openssl req -x509 $new_key -keyout authority.key -out authority.pem -days 30 -subj "/CN=Authority of the directory" 2>/dev/null
certificate() { # NAME, what it is for
    # shellcheck disable=SC2086 # several words
    openssl req $new_key -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
    echo "subjectAltName=$2" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA authority.pem -CAkey authority.key -CAcreateserial -out "$1.pem" -days 30 \
        -extfile "$1.ext" 2>/dev/null
}
certificate server "IP:$(hostname -i)"
certificate other DNS:ldap.example.com

mkdir -p database
slapadd -f slapd.conf -l people.ldif
sh start.sh
