#!/bin/sh
# Run a command of gatefold as the systemd service's user, with its settings, secrets and database, while it runs or not:
#   sudo sh deploy/as-service.sh doctor
# What that is stands in the unit; so it is read from there.
set -eu

unit=${UNIT:-/etc/systemd/system/gatefold.service}
[ -r "$unit" ] || {
    echo "There is no unit at $unit." >&2
    exit 1
}
program=$(sed -n 's/^ExecStart=\(.*\) run$/\1/p' "$unit")
set -- "$program" "$@"
while IFS= read -r line; do
    case $line in
    EnvironmentFile=* | Environment=* | LoadCredential=* | DynamicUser=* | User=* | UMask=* | StateDirectory*=* | WorkingDirectory=*)
        set -- --property="$line" "$@"
        ;;
    esac
done <"$unit"
exec systemd-run --quiet --collect --wait --pipe "$@"
