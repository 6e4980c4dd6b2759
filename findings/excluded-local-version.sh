#!/usr/bin/env bash
# pdm 2.29.4 (with hishel below 2), pip 26.3, uv 0.13.9, poetry 2.5.1.
# A private build has a local version, 1.0+cu2. `demo!=1.0+cu2` excludes that build, and no other (PEP 440).
# Behaviour: PDM installs the very build that is excluded. So does poetry where the release is pinned beside it, `==1.0,!=1.0+cu2`.
# pip and uv take the next one. All obey `!=1.0`, which excludes 1.0 with all of its local versions.
# Seen, of 0.9, 1.0, 1.0+cu1 and 1.0+cu2: !=1.0+cu2: pdm 1.0+cu2, the others 1.0+cu1; ==1.0,!=1.0+cu2: pdm and poetry 1.0+cu2, pip and
# uv 1.0+cu1; !=1.0: all 0.9
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
four_installers 0.9 1.0 1.0+cu1 1.0+cu2
four_install "!=1.0+cu2" "pdm demo-1.0+cu2,pip demo-1.0+cu1,uv demo-1.0+cu1,poetry demo-1.0+cu1"
four_install "==1.0,!=1.0+cu2" "pdm demo-1.0+cu2,pip demo-1.0+cu1,uv demo-1.0+cu1,poetry demo-1.0+cu2"
four_install "!=1.0" "pdm demo-0.9,pip demo-0.9,uv demo-0.9,poetry demo-0.9"
