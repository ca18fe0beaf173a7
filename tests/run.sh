#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing (Debian, Ubuntu), builds everything and runs every test; CTest's own summary comes last, with the
# number of tests in its entries.
#   ./tests/run.sh [PRESET [CTEST OPTION...]]      preset: release (default), debug, asan-ubsan, tsan
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset="${1:-release}"
shift || true
. cmake/install_dependencies.sh build tests

# Tests run side by side and each may use every core: waiting threads should sleep, not spin.
export OMP_WAIT_POLICY=passive
export ASAN_OPTIONS="detect_leaks=1:${ASAN_OPTIONS:-}" UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

jobs="$(nproc)"
cmake --preset "$preset" >&2
cmake --build --preset "$preset" --parallel "$jobs" >&2
build=build
[[ "$preset" == release ]] || build+="/$preset"
rm -rf "$build/test_results"
ctest --preset "$preset" --parallel "$jobs" --no-tests=error "$@" || failed=$?
tests/summary.sh "$build"
exit "${failed:-0}"
