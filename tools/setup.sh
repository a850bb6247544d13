#!/usr/bin/env bash
# Prepares a Debian 12 machine for building DualPath: packages, .venv, build/assets. Parts that are there already are
# left alone.
#
#   tools/setup.sh           what using DualPath needs
#   tools/setup.sh --tests   and what its tests compare with
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=(tools/requirements.txt)
case "$*" in
  "") ;;
  --tests) requirements+=(tools/requirements-test.txt) ;;
  *) echo "usage: tools/setup.sh [--tests]" >&2; exit 2 ;;
esac

readonly packages_mib=1200 venv_mib=9000 build_mib=3000  # .venv: 5100 when done, the rest while pip unpacks
readonly log=build/setup.log stamp=.venv/requirements.sha256

fail() {
  echo "setup: $*" >&2
  exit 1
}

# Runs a command with its output in the log. Usage: logged MESSAGE-IF-IT-FAILS COMMAND...
logged() {
  local message=$1
  shift
  "$@" >>"$log" 2>&1 || fail "$message ($(grep -iE '^(E:|error)' "$log" | tail -1); all of it is in $log)"
}

require_space() {  # PATH MIB
  local free
  free=$(df --output=avail -BM "$1" | tail -1 | tr -dc 0-9)
  echo "setup: needs $2 MiB of disk in $(realpath "$1"); $free MiB are free"
  ((free >= $2)) || fail "not enough disk space: $2 MiB are needed in $(realpath "$1"), $free MiB are free"
}

missing_packages() {
  local package
  sed 's/ *#.*//; /^$/d' tools/packages.txt | while read -r package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Prints the command that runs another one as root.
root_rights() {
  if ((EUID == 0)); then
    echo env
  elif command -v sudo >/dev/null; then
    echo sudo
  else
    fail "these Debian packages are missing, and installing them needs root rights; as root, run: apt-get install $*"
  fi
}

install_packages() {
  local as_root
  as_root=$(root_rights "$@")
  echo "setup: installing Debian packages: $*"
  logged "no list of Debian packages: is there a network?" "$as_root" apt-get update
  logged "Debian packages were not installed: is there a network?" \
    "$as_root" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

# pip's downloads go through .venv/tmp: /tmp may be small.
install_requirements() {
  echo "setup: installing into .venv: ${requirements[*]}"
  [[ -x .venv/bin/pip ]] || logged "no .venv" /usr/bin/python3 -m venv .venv
  mkdir -p .venv/tmp
  logged "Python packages were not installed: is there a network?" \
    env TMPDIR="$PWD/.venv/tmp" .venv/bin/pip install --no-deps --no-cache-dir "${requirements[@]/#/--requirement=}"
  rm -rf .venv/tmp
}

command -v apt-get >/dev/null || fail "needs Debian 12: there is no apt-get here"
mkdir -p build
: >"$log"

mapfile -t packages < <(missing_packages)
digests=$(sha256sum "${requirements[@]}")
venv_current=false
# A .venv of --tests serves without --tests, too.
if [[ -f $stamp && -z $(comm -13 <(sort "$stamp") <(sort <<<"$digests")) ]]; then venv_current=true; fi

((${#packages[@]} == 0)) || require_space / "$packages_mib"
$venv_current || require_space . $((venv_mib + build_mib))
((${#packages[@]} == 0)) || install_packages "${packages[@]}"
if ! $venv_current; then
  install_requirements
  echo "$digests" >"$stamp"
fi
.venv/bin/python tools/fetch_assets.py
if [[ $* == --tests ]]; then
  .venv/bin/python tools/fetch_multimodal.py --tiny ||
    echo "setup: SKIPPED the tiny pictures and clips; tests that need them skip themselves" >&2
fi
