# Runs inside the new root: Debian's NGINX takes the shape of the official image.
echo nginx:x:101: >>/etc/group
echo nginx:x:101:101:nginx:/nonexistent:/bin/false >>/etc/passwd

rm -rf /etc/nginx/sites-available /etc/nginx/sites-enabled /etc/nginx/modules-enabled /etc/nginx/modules-available
ln -sfn /usr/lib/nginx/modules /etc/nginx/modules
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log

# Debian's NGINX spools below /var/lib/nginx, the official one below /var/cache/nginx.
rm -rf /var/lib/nginx
mkdir -p /var/cache/nginx
ln -s /var/cache/nginx /var/lib/nginx

nginx -t
