#!/usr/bin/env bash
# From a fresh machine to a frontier: installs the system packages, builds, prepares the corpora and runs sweeps/demo.yaml.
#
# Everything is written below demo/ (or the folder given as argument). Run it again to carry on where it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-demo}

export PDSWEEP_TARGET_PATH=${PDSWEEP_TARGET_PATH:-../shared}
if [ ! -d "$PDSWEEP_TARGET_PATH/reference" ]; then
  echo "deploy/demo.sh: no model folder at $PDSWEEP_TARGET_PATH/reference; set PDSWEEP_TARGET_PATH to the folder that holds it" >&2
  exit 2
fi

deploy/packages.sh

echo "Building pdsweep (release)"
swift build -c release --product pdsweep
pdsweep=$(swift build -c release --show-bin-path)/pdsweep

PDSWEEP=$pdsweep deploy/corpora.sh "$output/corpora"

"$pdsweep" run sweeps/demo.yaml \
  --corpora "$output/corpora" --store "$output/demo.sqlite" --workers "$(nproc)" --output "$output/frontier"
