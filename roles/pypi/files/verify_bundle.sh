# Print bundle.json of a bundle whose files have the checksums that are in it, or fail with what is wrong.
# Run by sh -c with the path of the bundle.
# shellcheck shell=sh
set -eu
export LC_ALL=C
wanted=$(tar --extract --to-stdout --file "$1" SHA256SUMS)
# One pass over the file, in which nothing is unpacked.
# shellcheck disable=SC2016
found=$(tar --extract --file "$1" --exclude SHA256SUMS \
    --to-command 'echo "$(sha256sum | cut -d " " -f 1)  $TAR_FILENAME"')
differing=$(printf '%s\n%s\n' "$found" "$wanted" | sort | uniq -u | sed -n 's/^[^ ]*  //p' | sort -u)
if [ -n "$differing" ]; then
    # A truncated tar may lack a hundred.
    echo "$differing" | awk 'NR < 4 { list = list (NR > 1 ? ", " : "") $0 }
        END { print "SHA256SUMS does not agree with " list (NR > 3 ? " and " NR - 3 " more files" : "") }' >&2
    exit 1
fi
tar --extract --to-stdout --file "$1" bundle.json
