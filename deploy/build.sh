#!/bin/sh
# Put Gatefold into a folder of its own, as the lock files say it to the byte: deploy/build.sh FOLDER
# For a host, and for the image (see Dockerfile). Needs Python 3.11 or newer with venv; PYTHON=python3.13 names another.
# Everything that is fetched must match its hash in the locks. Stop the bot and run this again to update.
set -eu

if [ "$#" -ne 1 ] || [ -z "$1" ]; then
    echo "Name the folder that it goes to: sh deploy/build.sh /opt/gatefold" >&2
    exit 2
fi
source=$(cd "$(dirname "$0")/.." && pwd)
# Another user may run it than the one who puts it there.
umask 022
mkdir -p "$1"
target=$(cd "$1" && pwd)
python=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Gatefold needs Python 3.11 or newer, and $python is older." >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "$python has no venv here. On Debian and its kin: apt-get install python3-venv" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The wheel is built with tools that are locked, too, in a place that is thrown away.
"$python" -m venv "$work/tools"
pip() { "$work/tools/bin/python" -m pip --quiet "$@"; }
pip install --require-hashes -r "$source/requirements-build.lock"
pip wheel --no-deps --no-build-isolation --wheel-dir "$work" "$source"

"$python" -m venv --without-pip "$target"
pip --python "$target/bin/python" install --require-hashes -r "$source/requirements.lock"
pip --python "$target/bin/python" install --no-deps --force-reinstall "$work"/gatefold-*.whl

"$target/bin/gatefold" --version
