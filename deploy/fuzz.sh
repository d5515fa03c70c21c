#!/usr/bin/env bash
# Feeds the codec and the coordinator's handling of messages with inputs made up by libFuzzer:
#
#   deploy/fuzz.sh [SECONDS [SEED]]
#
# The same SEED makes up the same inputs, one after the other, for as long as there is time; without one, others every
# time.
#
# Builds with the address and fuzzer sanitizers into .build/fuzz and runs for SECONDS (60 if not given), beginning with
# the inputs in Tests/Fuzz/Corpus. What it finds on the way is kept in .build/fuzz/corpus for the next time. An input
# that breaks something is left in .build/fuzz and named at the end; exit status 1. To have it again:
#
#     .build/fuzz/debug/FuzzMessages FILE
#
# The corpus was made from ordinary messages and lives of workers (`FuzzMessages --seeds FOLDER`) and what a run found
# beyond them. After a change of messages.proto, make it anew in an empty folder:
#
#     FuzzMessages -set_cover_merge=1 -use_counters=0 -max_len=1500 Tests/Fuzz/Corpus SEEDS .build/fuzz/corpus
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
seed=${2:-0}
folder=.build/fuzz

PDSWEEP_FUZZ=1 swift build --scratch-path "$folder" --product FuzzMessages -Xswiftc -sanitize=fuzzer,address 2>&1 |
  grep -v 'Cannot export local symbol'

mkdir -p "$folder/corpus"
# libFuzzer reports a trap itself; Swift's backtracer would take seconds for each.
if ! SWIFT_BACKTRACE=enable=no "$folder/debug/FuzzMessages" -max_total_time="$seconds" -seed="$seed" -max_len=16384 -timeout=10 \
  -malloc_limit_mb=256 -rss_limit_mb=2048 -artifact_prefix="$folder/" -print_final_stats=1 \
  "$folder/corpus" Tests/Fuzz/Corpus >"$folder/log" 2>&1; then
  tail -n 60 "$folder/log" >&2
  echo "deploy/fuzz.sh: an input breaks what must hold; see above, and $folder/log" >&2
  exit 1
fi
grep -E '^(Done|stat::)' "$folder/log"
