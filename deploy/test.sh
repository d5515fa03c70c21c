#!/usr/bin/env bash
# Installs what the tests need, checks the formatting, builds everything, runs every test, and fuzzes for a minute.
#
# PDSWEEP_HISTORIES says how many simulated histories are run (default 10000; deploy/soak.sh runs more).
# PDSWEEP_FUZZ_SECONDS says for how long messages are made up (default 60; deploy/fuzz.sh does it for longer).
# PDSWEEP_GOLDEN names a folder of reference numbers to hold the program against besides those in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."

deploy/packages.sh iproute2 nftables

echo "== Formatting"
swift format lint --strict --parallel --recursive Package.swift Sources Tests

echo "== Build"
# Undeclared imports between our targets would let the arrows of the design rot.
swift build --build-tests --explicit-target-dependency-import-check error

# Runs tests, four at a time, with an end: more would not make headway on two cores, and nothing may wait for ever.
run_tests() {
  OPENBLAS_NUM_THREADS=1 timeout 1200 stdbuf --output=L swift test --skip-build \
    --explicit-target-dependency-import-check error --parallel --experimental-maximum-parallelization-width 4 "$@"
}

echo "== Tests"
run_tests --skip pdsweepTests

echo "== Processes"
# By themselves: they wait for processes, and must not wait behind tests that compute.
run_tests --filter pdsweepTests

echo "== Histories"
# By themselves: they keep every core busy.
PDSWEEP_HISTORIES=${PDSWEEP_HISTORIES:-10000} run_tests --filter HistoryTests/histories

echo "== Fuzz"
deploy/fuzz.sh "${PDSWEEP_FUZZ_SECONDS:-60}" 1
