#!/usr/bin/env bash
# pip-licenses 5.5.5.
# `pip-licenses --fail-on LICENSES` keeps unwanted licenses out of a build. Of a package with classifiers for two of them it looks at each
# (raimon49/pip-licenses#102). PEP 639 puts an expression in place of classifiers: `MIT AND GPL-3.0-only`, where both apply.
# Behaviour: an expression is compared as one text. `--fail-on GPL-3.0-only` ends with 0 for `MIT AND GPL-3.0-only`, so that a check which
# held up a release no longer does once the next one has moved to PEP 639. `--allow-only MIT` refuses `MIT OR GPL-3.0-only`, where MIT may be
# chosen; with --partial-match it accepts the AND as well, and `--fail-on GPL` is true of AGPL-3.0-only.
# Seen, exit codes: --fail-on, both spellings: classifiers 1, GPL-3.0-only 1, AND 0; --allow-only MIT: OR 1; partial: AND 0; --fail-on GPL,
# partial: AGPL-3.0-only 1
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
release wheel classifiers 1.0 "Classifier: License :: OSI Approved :: MIT License" \
    "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)" >/dev/null
release wheel single 1.0 "License-Expression: GPL-3.0-only" >/dev/null
release wheel both 1.0 "License-Expression: MIT AND GPL-3.0-only" >/dev/null
release wheel either 1.0 "License-Expression: MIT OR GPL-3.0-only" >/dev/null
release wheel affero 1.0 "License-Expression: AGPL-3.0-only" >/dev/null
install pip-licenses==5.5.5
"$bin/python" -m pip install --quiet --disable-pip-version-check --no-index "$served"/files/*.whl
# code PACKAGE OPTION…: how pip-licenses ends for a package.
code() {
    local ended=0
    "$bin/pip-licenses" --packages "$1" "${@:2}" >"$work/said" 2>&1 || ended=$?
    printf %s "$ended"
}
unwanted="GNU General Public License v3 (GPLv3);GPL-3.0-only"
expect "--fail-on, two classifiers" "$(code classifiers --fail-on "$unwanted")" 1
expect "--fail-on, GPL-3.0-only" "$(code single --fail-on "$unwanted")" 1
expect "--fail-on, MIT AND GPL-3.0-only" "$(code both --fail-on "$unwanted")" 0
expect "--allow-only MIT, MIT OR GPL-3.0-only" "$(code either --allow-only MIT)" 1
expect "--allow-only MIT --partial-match, MIT AND GPL-3.0-only" "$(code both --allow-only MIT --partial-match)" 0
expect "--fail-on GPL --partial-match, AGPL-3.0-only" "$(code affero --fail-on GPL --partial-match)" 1
