#!/bin/sh
# Install Gatefold into a folder of its own, exactly as the lock files say: deploy/build.sh FOLDER
# For hosts, and for the image (see Dockerfile). Needs Python 3.11 or newer with venv; PYTHON=python3.13 names another.
# Everything that is downloaded must match its hash in the locks. To update, stop the bot and run this again.
set -eu

case ${1:-} in
'' | -*) set -- ;;
esac
if [ "$#" -ne 1 ]; then
    echo "Name the folder to install to: sh deploy/build.sh /opt/gatefold" >&2
    exit 2
fi
if [ -e "$1" ] && [ ! -d "$1" ]; then
    echo "$1 is a file. Name a folder, such as /opt/gatefold." >&2
    exit 1
fi
source=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
command -v "$python" >/dev/null || {
    echo "There is no $python here. Gatefold needs Python 3.11 or newer; PYTHON=... names it." >&2
    exit 1
}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Gatefold needs Python 3.11 or newer, but $python is $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')." >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "$python has no venv. On Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
}

if [ -n "$(ls -A "$1" 2>/dev/null)" ] && [ ! -e "$1/pyvenv.cfg" ]; then
    echo "There are other files in $1. Name a folder of its own, such as $source-bot." >&2
    exit 1
fi

home=$("$python" -c 'import os, sys; print(os.path.realpath(sys.base_prefix))')
case $home in
/root/* | /home/*)
    case $1 in
    "${HOME:-/root}"/* | [!/]*) ;;
    *) echo "Careful: $python is in $home, which a systemd service cannot see. PYTHON=/usr/bin/python3 names another." >&2 ;;
    esac
    ;;
esac

# The bot may run as another user than the one who installs it.
umask 022
mkdir -p "$1" || exit 1
target=$(cd "$1" && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# On standard error, so that standard output is the version alone.
step() { echo "[$1/4] $2" >&2; }

step 1 "Preparing the build tools"
# The wheel is built with locked tools, too, in a folder that is deleted afterwards.
"$python" -m venv "$work/tools"
pip() { "$work/tools/bin/python" -m pip --quiet "$@"; }
pip install --require-hashes -r "$source/requirements-build.lock"

step 2 "Building Gatefold"
pip wheel --no-deps --no-build-isolation --wheel-dir "$work" "$source"

step 3 "Downloading and installing the libraries (about a minute)"
"$python" -m venv --without-pip "$target"
pip --python "$target/bin/python" install --require-hashes -r "$source/requirements.lock"

step 4 "Installing Gatefold to $target"
pip --python "$target/bin/python" install --no-deps --force-reinstall "$work"/gatefold-*.whl

"$target/bin/gatefold" --version
