#!/bin/sh
# Look at everything here with the linters that there are, and say loudly which there are not: make check-deploy
# The unit is looked at by tests/deploy/test_unit.py.
set -u
cd "$(dirname "$0")/.." || exit 1
# Where a virtual environment has its programs.
PATH=${1:+$1:}$PATH
failed=0

# look WITH AT...: its output is shown when it finds something.
look() {
    if ! command -v "$1" >/dev/null; then
        echo "NOT RUN: $1, which is not here"
        return
    fi
    if found=$("$@" 2>&1); then
        echo "fine: $*"
    else
        printf '%s\nFOUND SOMETHING: %s\n' "$found" "$*"
        failed=1
    fi
}

look hadolint Dockerfile
look shellcheck deploy/*.sh .ci/run
look check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
# Without certificates and home folders: it only reads.
export PUBLIC_URL=https://gatefold.example.org
look caddy validate --config deploy/Caddyfile --adapter caddyfile

exit "$failed"
