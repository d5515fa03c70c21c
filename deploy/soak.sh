#!/usr/bin/env bash
# Runs simulated histories: whole sweeps in virtual time whose coordinator, workers, engines and connections end at any
# point. A history that breaks a promise is named by its seed, and replayed with PDSWEEP_SEED.
#
#   deploy/soak.sh N [SEED]      N histories, from SEED on (default 0)
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -lt 1 || $# -gt 2 || ! $1 =~ ^[0-9]+$ || ! ${2:-0} =~ ^[0-9]+$ ]]; then
  echo "expected deploy/soak.sh N [SEED] with two numbers, found: $*" >&2
  exit 2
fi

swift build --build-tests
PDSWEEP_HISTORIES=$1 PDSWEEP_FIRST_SEED=${2:-0} swift test --skip-build --filter HistoryTests/histories
