# Runs inside the new root: a plain installation has none of the short cuts that the other images keep.
rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap
sed -i '/Install-Recommends\|Languages/d' /etc/apt/apt.conf.d/99mmdebstrap
