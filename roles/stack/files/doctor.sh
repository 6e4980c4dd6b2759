# Run by sh -c with: the Compose project, the folder of the index. Prints what doctor.yml judges, a line each; what does not answer
# prints nothing. Changes nothing.
# shellcheck shell=sh
echo "time $(date +%s)"
echo "synchronised $(timedatectl show --property NTPSynchronized --value 2>/dev/null)"
# Talking to the socket of a stopped engine starts it, and its containers.
asleep=
if systemctl cat docker.service >/dev/null 2>&1; then
    case $(systemctl is-active docker.service) in inactive | failed | deactivating) asleep=yes ;; esac
fi
docker() { [ -z "$asleep" ] && timeout 20 docker "$@"; }
[ -z "$asleep" ] || echo "stopped docker.service"
docker version --format 'engine {{.Server.Version}}' 2>/dev/null
root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)
for folder in "$2/packages" "$2/index" "$2/nginx_cache" "$2/logs" ${root:+"$root"}; do
    # Its file system, size and free bytes, inodes and free ones.
    stat --file-system --format "disk $folder|%i|%S|%b|%a|%c|%d" "$folder" 2>/dev/null
done
# Without containers of `docker compose run`, nor the environment of any.
containers=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$1" \
    --filter label=com.docker.compose.oneoff=False 2>/dev/null)
for container in $containers; do
    image=$(docker inspect --format '{{.Image}}' "$container" 2>/dev/null)
    built=$(docker image inspect --format '{{.Created}}' "$image" 2>/dev/null)
    docker inspect --format "container {{index .Config.Labels \"com.docker.compose.service\"}}|{{.State.Status}}|\
{{if .State.Health}}{{.State.Health.Status}}{{end}}|{{.RestartCount}}|{{.State.StartedAt}}|{{.State.OOMKilled}}|\
{{.Config.Image}}|$built|{{.Image}}" "$container" 2>/dev/null
done
# The release of the extension, by what it is.
[ ! -d "$2/pypiserver/wheelhouse_index" ] || (
    cd "$2/pypiserver/wheelhouse_index" &&
        echo "extension $(find . -name '*.py' -type f -exec sha256sum {} + | sort | sha256sum | cut -c 1-12)"
)
[ ! -e "$2/nginx/drained" ] || echo "drained $2/nginx/drained"
# Root alone writes there.
[ ! -f "$2/backup/last.json" ] || printf 'backup %s\n' "$(tr -d '\n' <"$2/backup/last.json")"
[ ! -f "$2/backup/drill.json" ] || printf 'drill %s\n' "$(tr -d '\n' <"$2/backup/drill.json")"
# By whole names: another index may be called $1-dev.
systemctl list-units --all --plain --no-legend "wheelhouse-$1-logs.*" "wheelhouse-$1-certificate.*" "wheelhouse-$1-backup.*" \
    2>/dev/null | while read -r unit _load state _rest; do
    echo "unit $unit|$state"
done
true
