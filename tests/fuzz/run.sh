#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers with Clang and runs each for a while, as many at once as there are CPUs:
#
#   tests/fuzz/run.sh [SECONDS [NAME...]]      30 seconds and all of them unless said otherwise
#
# Ends with a table and, when a fuzzer found something, with status 1; the input that failed is kept and named. What was
# learned stays in build/fuzz/corpus for the next run. The environment variable SEED chooses the random numbers (1).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds="${1:-30}"
shift || true

clang="$(command -v clang++-14 || command -v clang++)"
cmake -B build/fuzz -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_BUILD_TYPE=Release -DTRINE_FUZZ=ON -DTRINE_OPENMP=OFF \
  -DTRINE_BUILD_CONTRACT_TESTS=OFF -DTRINE_BUILD_BENCH=OFF -DTRINE_BUILD_EXAMPLES=OFF >&2
programs=build/fuzz/tests/fuzz
if (($# == 0)); then
  for source in tests/fuzz/fuzz_*.cpp; do
    source="${source##*/fuzz_}"
    set -- "$@" "${source%.cpp}"
  done
fi
cmake --build build/fuzz --parallel "$(nproc)" --target "${@/#/fuzz_}" >&2

# Files that a fuzzer writes live in memory and go away with this script.
TMPDIR="$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
export ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=64:allocator_may_return_null=0:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
findings=build/fuzz/findings
mkdir -p "$findings"

fuzz() {  # NAME
  local options=(-max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -print_final_stats=1 -seed="${SEED:-1}")
  [[ -e "tests/fuzz/$1.dict" ]] && options+=(-dict="tests/fuzz/$1.dict")
  mkdir -p "build/fuzz/corpus/$1"
  local status=0
  "$programs/fuzz_$1" "${options[@]}" -artifact_prefix="$findings/$1-" "build/fuzz/corpus/$1" "$programs/seeds/$1" \
    >"build/fuzz/$1.log" 2>&1 || status=$?
  echo "$status" >"build/fuzz/$1.status"
}
export -f fuzz
export seconds programs findings
printf '%s\n' "$@" | xargs -P "$(nproc)" -I {} bash -c 'fuzz {}'

# The last line of a log with coverage: "#4096 REDUCE cov: 801 ft: 2304 corp: 312/9Kb lim: 4096 exec/s: ..."
last() {  # LOG REGEX
  sed -nE "s/.*$2.*/\1/p" "$1" | tail -n 1
}
failed=0
printf '%-16s %12s %8s %8s %8s  %s\n' fuzzer executions cov ft corpus result
for name in "$@"; do
  log="build/fuzz/$name.log"
  result=ok
  if [[ "$(cat "build/fuzz/$name.status")" != 0 ]]; then
    failed=1
    artifact="$(last "$log" 'Test unit written to (.*)')"
    result="FAILED: ${artifact:-no input}, see $log"
  fi
  printf '%-16s %12s %8s %8s %8s  %s\n' "$name" "$(last "$log" 'stat::number_of_executed_units: *([0-9]+)')" \
    "$(last "$log" ' cov: ([0-9]+)')" "$(last "$log" ' ft: ([0-9]+)')" "$(last "$log" ' corp: ([0-9]+)')" "$result"
done
exit "$failed"
