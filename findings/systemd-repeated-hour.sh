#!/usr/bin/env bash
# systemd 252.39-1~deb12u2 (Debian 12), which apt-get unpacks into the folder; nothing is installed.
# Timers by the clock, where it goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October 2026.
# Behaviour: in March a daily timer of 02:30 does not run late: that day it does not run at all. In October the repeated hour is left
# out for timers of every hour and every half hour as well: between two runs of `hourly` are two hours. With ` UTC` nothing is left out.
# Seen, in UTC: 02:30 daily after noon of 28 March: 30 March 00:30. `hourly` from 25 October 00:00: 00:00, 02:00, 03:00;
# `*:0/30`: 00:00, 00:30, 02:00; `hourly UTC`: 00:00, 01:00, 02:00
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root systemd=252.39-1~deb12u2 && dpkg-deb -x systemd_*.deb systemd)
library=$(dirname "$(find "$work/systemd" -name 'libsystemd-shared-252.so')")
# runs BASE COUNT CALENDAR: when a timer elapses, in UTC. The rule is Central Europe's, written out, so no zone files are needed.
runs() {
    TZ='CET-1CEST,M3.5.0,M10.5.0/3' LD_LIBRARY_PATH=$library "$work/systemd/usr/bin/systemd-analyze" calendar \
        --base-time="$1" --iterations="$2" "$3" | sed -n 's/.*(in UTC): ... \(.*\):00 UTC$/\1/p' | paste -sd ','
}
expect "daily at 02:30, in March" "$(runs '2026-03-28 12:00' 1 '*-*-* 02:30')" "2026-03-30 00:30"
expect "daily at 02:30 UTC, in March" "$(runs '2026-03-28 12:00' 1 '*-*-* 02:30 UTC')" "2026-03-29 02:30"
expect "hourly, in October" "$(runs '2026-10-25 01:59' 3 hourly)" "2026-10-25 00:00,2026-10-25 02:00,2026-10-25 03:00"
expect "every half hour, in October" "$(runs '2026-10-25 01:59' 3 '*:0/30')" "2026-10-25 00:00,2026-10-25 00:30,2026-10-25 02:00"
expect "hourly UTC, in October" "$(runs '2026-10-25 01:59' 3 'hourly UTC')" "2026-10-25 00:00,2026-10-25 01:00,2026-10-25 02:00"
