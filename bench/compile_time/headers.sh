#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which headers take long to read:  headers.sh COMPILER FLAG... < names of headers
#   find include -name '*.hpp' | bench/compile_time/headers.sh g++ -Iinclude -DTRINE_COMPILED_LIB
# Prints user seconds and name of each one, with all that it includes, slowest first.
set -euo pipefail
compiler="$1"
shift
TIMEFORMAT='%U'
while IFS= read -r header; do
  seconds="$({ time "$compiler" -std=c++20 -fsyntax-only -x c++ "$header" "$@" >/dev/null 2>&1; } 2>&1)" || seconds=failed
  echo "$seconds $header"
done | sort -rn
