#!/usr/bin/env bash
# ansible-core 2.19.4.
# The module `command` runs a program without a shell, so that nothing in an argument is special; each entry of `argv` is one argument.
# Behaviour: each entry is expanded all the same, by the environment of the host: $NAME of a variable that is set there, and ~NAME of an
# account that exists there, so that a password or a pattern arrives altered on one host and unaltered on another. Only a shell's
# other characters are left alone. `expand_argument_vars: false` ends both, although only variables are in its name and description.
# Seen: `printf %s` of the argument pa$PATH-x prints "pa", the path, "-x"; of ~root/x "/root/x"; of pa$UNSET-x and ~unset/x what was given.
# With expand_argument_vars: false, pa$PATH-x and ~root/x as given.
set -euo pipefail
work=$(mktemp -d)
# shellcheck source=findings/lib/common.bash
. "$(dirname "$0")/lib/common.bash"
install ansible-core==2.19.4
export ANSIBLE_HOME=$work/home/.ansible ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_PYTHON_INTERPRETER=$bin/python ANSIBLE_STDOUT_CALLBACK=minimal
# printed ARGUMENT EXPAND: what the program is given.
printed() {
    "$bin/ansible" -i localhost, -c local all -m command \
        -a "{\"argv\": [\"printf\", \"given:%s:\", \"$1\"], \"expand_argument_vars\": $2}" >"$work/out" 2>&1
    sed -n 's/^given:\(.*\):.*$/\1/p' "$work/out"
}
unset UNSET
root=$(getent passwd root | cut -d: -f6)
# shellcheck disable=SC2016 # the host is to expand it
expect "a variable that is set" "$(printed 'pa$PATH-x' true | sed "s|$PATH|(the path)|")" "pa(the path)-x"
# shellcheck disable=SC2016 # as above
expect "one that is not" "$(printed 'pa$UNSET-x' true)" 'pa$UNSET-x'
expect "an account's home" "$(printed '~root/x' true | sed "s|^$root/|(its home)/|")" "(its home)/x"
expect "no account's" "$(printed '~unset/x' true)" '~unset/x'
# shellcheck disable=SC2016 # as above
expect "a variable, not to be expanded" "$(printed 'pa$PATH-x' false)" 'pa$PATH-x'
expect "an account's home, not to be expanded" "$(printed '~root/x' false)" '~root/x'
