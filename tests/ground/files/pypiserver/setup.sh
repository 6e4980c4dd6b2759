# Runs inside the new root.
echo pypiserver:x:9898: >>/etc/group
echo pypiserver:x:9898:9898:pypiserver:/data:/bin/false >>/etc/passwd
mkdir -p /data/packages

# Where the official image, built on Python's own, has its interpreter
for name in python python3; do ln -s /usr/bin/python3 "/usr/local/bin/$name"; done
ln -s /usr/sbin/gosu /usr/local/bin/gosu

# Not by time stamp: containers run with a read-only root, and would compile anew at every start.
python3 -m compileall -q --invalidation-mode unchecked-hash /usr/local/lib/python3*/dist-packages
pypi-server --version
python3 -c 'import bcrypt, gevent, gunicorn.workers.ggevent, passlib.apache, waitress, watchdog.observers'
