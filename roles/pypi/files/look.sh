# Run by sh -c with: the Compose project, if its containers are asked for. Prints the versions of engine and Compose, and a
# line for each container: its service, image and state. What does not answer prints nothing.
# shellcheck shell=sh
docker version --format 'engine {{.Server.Version}}' 2>/dev/null
version=$(docker compose version --short 2>/dev/null) && echo "compose ${version#v}"
# Without containers of `docker compose run`: one that has exited is no service that is unwell.
[ -z "${1-}" ] || docker ps --all --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False \
    --format 'container {{.Label "com.docker.compose.service"}}|{{.Image}}|{{.State}} {{.Status}}' 2>/dev/null
true
