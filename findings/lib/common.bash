#!/usr/bin/env bash
# What the findings share: their folder `work` is removed at the end, tools are installed in it, and a server serves it.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${work:?is a new folder}"
served=$work/served
mkdir -p "$served/simple" "$served/files" "$work/home"
server=

finish() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap finish EXIT

# install NAME==VERSION [MORE…]: a virtual environment of its own; sets `bin` to its folder of programs.
install() {
    bin=$work/venv-${1%%==*}/bin
    python3 -m venv "${bin%/bin}"
    "$bin/python" -m pip install -qq --disable-pip-version-check "$@"
}

# release wheel|sdist NAME VERSION [HEADER…]: a file in files/; prints its SHA-256. TAG from the environment is the wheel's.
release() {
    local kind=$1
    shift
    python3 "$here/index.py" "$kind" "$served/files" "$@"
}

# page NAME FILE: a project's page from standard input, as index.json or index.html.
page() {
    mkdir -p "$served/simple/$1"
    cat >"$served/simple/$1/$2"
}

# serve: start the server, with LOGIN, MOVED, CODED, SERIAL and CACHE from the environment; sets `base` to its address.
serve() {
    python3 "$here/index.py" serve "$served" &
    server=$!
    for _ in $(seq 100); do
        if [ -e "$served/port" ]; then break; fi
        sleep 0.1
    done
    base=http://127.0.0.1:$(cat "$served/port")
    # From here on the tools have a home of their own, and know no other index and no proxy.
    export HOME=$work/home PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 UV_NO_CACHE=1 PIP_NO_CACHE_DIR=1 NO_PROXY=127.0.0.1
    unset PIP_FIND_LINKS PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_NO_INDEX UV_INDEX UV_DEFAULT_INDEX UV_INDEX_URL UV_FIND_LINKS
}

# source_of_app FOLDER: the files of app 1.0, which builds itself without further packages.
source_of_app() {
    mkdir -p "$1"
    printf 'Metadata-Version: 2.2\nName: app\nVersion: 1.0\n' >"$1/PKG-INFO"
    printf '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n' >"$1/pyproject.toml"
    cat >"$1/backend.py" <<'EOF'
import base64, hashlib, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "app-1.0-py3-none-any.whl"
    files = {"app.py": "", "app-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: app\nVersion: 1.0\n",
             "app-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: backend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "app-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        for path, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{path},sha256={digest},{len(text)}\n"
            archive.writestr(path, text)
        archive.writestr("app-1.0.dist-info/RECORD", record)
    return name
EOF
}

# expect WHAT VALUE EXPECTED: print what was seen; end with 1 where it is something else.
expect() {
    printf '%s: %s\n' "$1" "$2"
    if [ "$2" != "$3" ]; then
        printf 'the behaviour has changed: "%s" was expected\n' "$3" >&2
        exit 1
    fi
}

# flit_project FOLDER NAME: a project that flit builds, as it publishes nothing else.
flit_project() {
    mkdir -p "$1"
    printf '"""Says nothing."""\n__version__ = "1.0"\n' >"$1/$2.py"
    cat >"$1/pyproject.toml" <<EOF
[build-system]
requires = ["flit_core>=3"]
build-backend = "flit_core.buildapi"

[project]
name = "$2"
dynamic = ["version", "description"]
EOF
}

# poetry_project FOLDER NAME / pdm_project FOLDER NAME: a project that needs NAME from the served index.
poetry_project() {
    mkdir -p "$1"
    local needs=
    if [ -n "$2" ]; then needs="$2 = \"*\""; fi
    cat >"$1/pyproject.toml" <<EOF
[tool.poetry]
name = "wants"
version = "1.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = "^3.11"
$needs

[[tool.poetry.source]]
name = "local"
url = "$base/simple/"
priority = "primary"
EOF
    export POETRY_VIRTUALENVS_IN_PROJECT=true
}

pdm_project() {
    mkdir -p "$1"
    cat >"$1/pyproject.toml" <<EOF
[project]
name = "wants"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["$2"]

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "$base/simple/"
verify_ssl = false
EOF
    export PDM_CHECK_UPDATE=0
}

# took FOLDER: the releases installed below a folder, as NAME-VERSION, or `nothing`.
took() {
    local found
    found=$(find "$1" -name '*.dist-info' -path "*$2*" -printf '%f\n' | sed 's/\.dist-info$//' | sort -u | paste -sd ' ')
    printf '%s' "${found:-nothing}"
}

# four_tools poetry==VERSION pdm==VERSION pip==VERSION uv==VERSION: install them; `poetry`, `pdm` and `bin` lead to them.
four_tools() {
    install "$1"
    poetry=$bin/poetry
    install "$2" 'hishel<2'
    pdm=$bin/pdm
    install "$3" "$4"
}

# four_installers VERSION…: wheels of these versions of `demo` on its page, and the four tools; the server runs then.
four_installers() {
    for version; do
        printf '{"filename": "demo-%s-py3-none-any.whl", "url": "../../files/demo-%s-py3-none-any.whl", "hashes": {"sha256": "%s"}}\n' \
            "$version" "${version/+/%2B}" "$(release wheel demo "$version")"
    done >"$work/files"
    page demo index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "demo", "files": [$(paste -sd , "$work/files")]}
EOF
    four_tools poetry==2.5.1 pdm==2.29.4 pip==26.3 uv==0.13.9
    serve
}

# four_install VERSIONS EXPECTED: what each of them installs of demo.
four_install() {
    local folder
    folder=$(mktemp -d "$work/four.XXXX")
    "$bin/python" -m pip install --quiet --disable-pip-version-check --target "$folder/pip" --index-url "$base/simple/" "demo$1"
    "$bin/uv" pip install --quiet --python "$bin/python" --target "$folder/uv" --default-index "$base/simple/" "demo$1"
    poetry_project "$folder/poetry" demo
    sed -i "s/^demo = .*/demo = \"$1\"/" "$folder/poetry/pyproject.toml"
    (cd "$folder/poetry" && "$poetry" install --no-interaction >/dev/null 2>&1)
    pdm_project "$folder/pdm" "demo$1"
    (cd "$folder/pdm" && "$pdm" install --quiet >/dev/null 2>&1)
    expect "demo$1" "$(for tool in pdm pip uv poetry; do printf '%s %s\n' "$tool" "$(took "$folder/$tool" /demo-)"; done | paste -sd ,)" "$2"
}
