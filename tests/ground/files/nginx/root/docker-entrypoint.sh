#!/bin/sh
# The official image's way of starting: folder /docker-entrypoint.d first, then the command.
set -e
case "$1" in
nginx | nginx-debug)
    for script in /docker-entrypoint.d/*.sh; do
        if [ -x "$script" ]; then
            "$script"
        fi
    done
    if [ -z "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ]; then
        echo "$0: Configuration complete; ready for start up"
    fi
    ;;
esac
exec "$@"
