#!/usr/bin/env bash
# Prepares the five corpora of the demo sweep from Debian's documentation packages: deploy/corpora.sh FOLDER
#
# FOLDER (corpora/ if not given) gets de.txt, en.txt, fr.txt, es.txt and it.txt, each with its cut beside it. The packages
# are downloaded and unpacked below FOLDER/packages, not installed; NAME.version there says which version it was. What is
# there already is kept: run it again after an interruption, or remove FOLDER to begin anew. PDSWEEP names the program; by
# default it is the release build.
set -euo pipefail
folder=${1:-corpora}
pdsweep=${PDSWEEP:-$(swift build --package-path "$(dirname "$0")/.." -c release --show-bin-path)/pdsweep}
if [ ! -x "$pdsweep" ]; then
  echo "deploy/corpora.sh: no program at $pdsweep; build it with 'swift build -c release --product pdsweep'" >&2
  exit 2
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "deploy/corpora.sh: expected apt-get and dpkg-deb of Debian; elsewhere bring text and use 'pdsweep corpus'" >&2
  exit 2
fi
pdsweep=$(realpath -- "$pdsweep")

fetch() {
  apt-get -qq -o APT::Sandbox::User=root download "$1" 2>/dev/null
}

# Unpacks one package into packages/NAME, which gets its name only when it is complete.
unpack() {
  local name=$1 scratch
  if [ -d "packages/$name" ] && [ -f "packages/$name.version" ]; then return; fi
  rm -rf "packages/$name"
  scratch=$(mktemp -d "packages/.$name.XXXXXX")
  echo "Downloading $name"
  if ! (cd "$scratch" && { fetch "$name" || { apt-get update -qq && fetch "$name"; }; } && dpkg-deb -x ./*.deb content &&
    dpkg-deb -f ./*.deb Version >version); then
    rm -rf "$scratch"
    echo "deploy/corpora.sh: cannot download $name; check the network and apt's sources ('apt-get update')" >&2
    exit 2
  fi
  mv "$scratch/version" "packages/$name.version"
  mv "$scratch/content" "packages/$name"
  rm -rf "$scratch"
}

# Makes NAME.txt and its cut: prepare NAME [--exclude FILE] PACKAGE...
prepare() {
  local name=$1
  shift
  if [ -f "$name.txt" ] && [ -f "$name.cut.json" ]; then
    echo "$name.txt is there"
  else
    "$pdsweep" corpus --output "$name.txt" "$@"
  fi
}

mkdir -p "$folder/packages"
cd "$folder"
for package in libreoffice-help-{de,en-us,fr,es,it} debian-reference-{de,en,fr,es,it}; do
  unpack "$package"
done

# English first: pages of the other languages hold paragraphs that nobody has translated yet.
prepare en packages/libreoffice-help-en-us packages/debian-reference-en
for language in de fr es it; do
  prepare "$language" --exclude en.txt "packages/libreoffice-help-$language" "packages/debian-reference-$language"
done
