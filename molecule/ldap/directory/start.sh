#!/bin/sh
# Starts the directory, with another certificate if one is named.
set -eu
systemctl stop directory 2>/dev/null || :
systemctl reset-failed directory 2>/dev/null || :
for kind in pem key; do ln -sf "/srv/directory/${1:-server}.$kind" "/srv/directory/current.$kind"; done
systemd-run --quiet --unit directory --property RuntimeDirectory=slapd slapd -d 0 -f /srv/directory/slapd.conf -h 'ldap:// ldaps:// ldapi:///'
for _ in $(seq 50); do
    ! ldapwhoami -Q -Y EXTERNAL -H ldapi:/// >/dev/null 2>&1 || exit 0
    sleep 0.1
done
echo 'the directory does not answer' >&2
exit 1
