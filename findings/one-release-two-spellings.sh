#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# 1.0 and 1.0.0 are one version (PEP 440), and two names of files: who writes the version in another way for a second build has both on one
# page.
# Behaviour: to all four, `demo==1.0` and `demo==1.0.0` mean either. pip installs the one that comes last on the page, poetry and PDM the one
# that comes first, and uv 1.0 in either order. So one pin gives two programs, and not the one that it spells. (Of pip: pypa/pip#12083.)
# Seen, for ==1.0 and for ==1.0.0: page 1.0, 1.0.0: pip 1.0.0, the others 1.0; page 1.0.0, 1.0: pip and uv 1.0, poetry and PDM 1.0.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
four_installers 1.0 1.0.0
four_install "==1.0" "pdm demo-1.0,pip demo-1.0.0,uv demo-1.0,poetry demo-1.0"
four_install "==1.0.0" "pdm demo-1.0,pip demo-1.0.0,uv demo-1.0,poetry demo-1.0"
page demo index.json <<EOF
{"meta": {"api-version": "1.0"}, "name": "demo", "files": [$(tac "$work/files" | paste -sd ,)]}
EOF
rm -rf "$HOME/.cache"
four_install "==1.0" "pdm demo-1.0.0,pip demo-1.0,uv demo-1.0,poetry demo-1.0.0"
four_install "==1.0.0" "pdm demo-1.0.0,pip demo-1.0,uv demo-1.0,poetry demo-1.0.0"
