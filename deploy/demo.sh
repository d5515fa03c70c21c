#!/usr/bin/env bash
# From a fresh machine to a report: installs the system packages, builds, prepares the corpora, runs sweeps/demo.yaml on
# the built-in target and writes report.html.
#
# Everything is written below demo/ (or the folder given as argument). Run it again to carry on where it was stopped.
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-demo}

deploy/packages.sh

echo "Building pdsweep (release)"
swift build -c release --product pdsweep
pdsweep=$(swift build -c release --show-bin-path)/pdsweep

PDSWEEP=$pdsweep deploy/corpora.sh "$output/corpora"

"$pdsweep" run sweeps/demo.yaml \
  --corpora "$output/corpora" --store "$output/demo.sqlite" --workers "$(nproc)" --output "$output/frontier"

"$pdsweep" rollouts "$output/demo.sqlite" --corpora "$output/corpora" --output "$output/rollouts.json"
"$pdsweep" report "$output/demo.sqlite" --rollouts "$output/rollouts.json" --output "$output/report" >/dev/null
echo "Report: $output/report/report.html"
