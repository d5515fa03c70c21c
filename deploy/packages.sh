#!/usr/bin/env bash
# Installs the Debian packages that pdsweep builds on and runs with. Does nothing where they are there already.
set -euo pipefail

packages=(libopenblas-dev libsodium-dev libsqlite3-dev libzmq3-dev pkg-config)

if ! command -v dpkg-query >/dev/null; then
  echo "deploy/packages.sh: expected Debian or Ubuntu; elsewhere install the like of: ${packages[*]}" >&2
  exit 2
fi
missing=()
for package in "${packages[@]}" "$@"; do
  if [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" != "install ok installed" ]; then
    missing+=("$package")
  fi
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "deploy/packages.sh: run as root, or first: apt-get install ${missing[*]}" >&2
    exit 2
  fi
  echo "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
  echo "deploy/packages.sh: swift is not on the PATH; install Swift 6.3 for this system from swift.org" >&2
  exit 2
fi
