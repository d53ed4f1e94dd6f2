#!/bin/sh
# Run a gatefold command as the systemd service's user, with its settings, secrets and database:
#   sudo sh deploy/as-service.sh doctor
# The bot may run meanwhile. User, settings, secrets and folders are read from the unit, and from what `systemctl edit`
# added to it.
set -eu

unit=${UNIT:-/etc/systemd/system/gatefold.service}
[ -r "$unit" ] || {
    echo "There is no unit at $unit. docs/hosting.md describes how to install it." >&2
    exit 1
}
program=$(sed -n 's/^ExecStart=\(.*\) run$/\1/p' "$unit")
set -- "$program" "$@"
while IFS= read -r line; do
    case $line in
    EnvironmentFile=* | Environment=* | LoadCredential=* | DynamicUser=* | User=* | UMask=* | StateDirectory*=* | \
        WorkingDirectory=* | ReadWritePaths=*)
        set -- --property="$line" "$@"
        ;;
    esac
done <<EOF
$(cat "$unit" "$unit".d/*.conf 2>/dev/null)
EOF
exec systemd-run --quiet --collect --wait --pipe "$@"
