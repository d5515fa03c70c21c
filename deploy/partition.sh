#!/usr/bin/env bash
# Runs a sweep over a network of its own (network namespaces, so as root): one worker is cut off for 30 s, one packet in
# twenty is lost, and for two minutes every process is killed in turn. The exports must equal those of an undisturbed
# run, byte for byte. The tests run the same in short.
#
#   deploy/partition.sh [PARTITION-SECONDS [KILL-SECONDS]]
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -gt 2 || ! ${1:-30} =~ ^[0-9]+$ || ! ${2:-120} =~ ^[0-9]+$ ]]; then
  echo "expected deploy/partition.sh [SECONDS [SECONDS]] with whole numbers, found: $*" >&2
  exit 2
fi

deploy/packages.sh iproute2 nftables
swift build --build-tests
PDSWEEP_PARTITION_SECONDS=${1:-30} PDSWEEP_KILL_SECONDS=${2:-120} swift test --skip-build --filter NamespaceTests
