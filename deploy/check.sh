#!/bin/sh
# Check deploy/ and the workflow with the linters that are installed, and say clearly which are not: make check-deploy
# tests/deploy/test_unit.py checks the unit.
set -u
cd "$(dirname "$0")/.." || exit 1
# Where a virtual environment has its programs.
PATH=${1:+$1:}$PATH
failed=0

# look WITH AT...: shows the output if the linter finds something.
look() {
    if ! command -v "$1" >/dev/null; then
        echo "NOT RUN: $1 is not installed"
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
look shellcheck deploy/*.sh .ci/run .ci/release
look check-jsonschema --builtin-schema vendor.compose-spec compose.yaml deploy/traefik.yaml
look check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
look zizmor --offline --no-progress --quiet .github/workflows
look actionlint .github/workflows/ci.yml
# Without certificates and home folders: it only reads.
export PUBLIC_URL=https://gatefold.example.org
look caddy validate --config deploy/Caddyfile --adapter caddyfile
look promtool check rules deploy/prometheus-alerts.yml
look promtool test rules tests/deploy/alerts.yml

exit "$failed"
