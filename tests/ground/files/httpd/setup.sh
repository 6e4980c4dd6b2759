# Runs inside the new root: Debian's Apache takes the shape of the official image.
mkdir -p /usr/local/apache2/bin /usr/local/apache2/htdocs /usr/local/apache2/logs
ln -s /usr/sbin/apache2 /usr/local/apache2/bin/httpd
ln -s /usr/lib/apache2/modules /usr/local/apache2/modules

httpd=/usr/local/apache2/bin/httpd
"$httpd" -v
