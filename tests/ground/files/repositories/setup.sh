# Runs inside the new root: makes the packages, signs them, lays out the repositories.
systemctl enable repositories.service
export HOME=/build GNUPGHOME=/build/gnupg
for step in /build/[0-9]-*.sh; do
    echo "$step"
    "$step"
done
rm -rf /build
