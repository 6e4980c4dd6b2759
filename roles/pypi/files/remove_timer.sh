# Run by sh -c with: "check" or "remove", the name of a timer and its service, and files and folders that go with them.
# shellcheck shell=sh
# Removes what is there of them, whatever a killed run has left out. The units go last.
set -eu
mode=$1 unit=$2
shift 2
units=/etc/systemd/system

is_left() {
    systemctl is-active --quiet "$unit.timer" 2>/dev/null && return
    for name in "$@" "$units/timers.target.wants/$unit.timer" "$units/$unit.timer" "$units/$unit.service"; do
        if [ -e "$name" ] || [ -L "$name" ]; then return; fi
    done
    false
}
is_left "$@" || exit 0
if systemctl is-active --quiet "$unit.timer" 2>/dev/null; then
    echo "removed the running $unit.timer"
fi
if [ "$mode" = remove ]; then
    # Says so too where there are none.
    systemctl stop "$unit.timer" "$unit.service" 2>/dev/null || :
    if systemctl is-active --quiet "$unit.timer" 2>/dev/null; then
        echo "systemd does not stop $unit.timer: \`systemctl status $unit.timer\` says why. Mend that, then run again." >&2
        exit 1
    fi
fi
for name in "$@" "$units/timers.target.wants/$unit.timer" "$units/$unit.timer" "$units/$unit.service"; do
    [ -e "$name" ] || [ -L "$name" ] || continue
    echo "removed $name"
    [ "$mode" = check ] || rm -rf "$name"
done
[ "$mode" = remove ] || exit 0
systemctl daemon-reload
systemctl reset-failed "$unit.timer" "$unit.service" 2>/dev/null || :
