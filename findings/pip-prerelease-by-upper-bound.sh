#!/usr/bin/env bash
# pip 26.3, uv 0.13.9, poetry 2.5.1, pdm 2.29.4 (with hishel below 2).
# Without --pre, pre-releases are left out where there is a final release. `<2` leaves out those of 2.0 too; many write `<2.0.dev0`, to
# be sure, or `>0.9.dev0`.
# Behaviour: for pip and PDM a bound that is a pre-release itself asks for pre-releases, of all versions, an upper bound as well: they
# install the release candidate of another version. `!=1.0.dev0` does not do that. uv and poetry keep to final releases.
# Seen, of 1.0, 1.1rc1 and 2.0rc1: <2: all 1.0; <2.0.dev0: pip and pdm 1.1rc1, uv and poetry 1.0; >0.9.dev0: pip and pdm 2.0rc1,
# uv and poetry 1.0; !=1.0.dev0: all 1.0
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
four_installers 1.0 1.1rc1 2.0rc1
four_install "<2" "pdm demo-1.0,pip demo-1.0,uv demo-1.0,poetry demo-1.0"
four_install "<2.0.dev0" "pdm demo-1.1rc1,pip demo-1.1rc1,uv demo-1.0,poetry demo-1.0"
four_install ">0.9.dev0" "pdm demo-2.0rc1,pip demo-2.0rc1,uv demo-1.0,poetry demo-1.0"
four_install "!=1.0.dev0" "pdm demo-1.0,pip demo-1.0,uv demo-1.0,poetry demo-1.0"
