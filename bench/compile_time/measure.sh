#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Seconds to compile main.cpp (the umbrella, -O2) and an empty file beside it:  measure.sh COMPILER FLAG...
# Prints one JSON document: every repetition, since the median of three says little about a busy machine.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
compiler="$1"
shift
object="$(mktemp --suffix=.o)"
trap 'rm -f "$object"' EXIT

seconds_for() {  # SOURCE FLAG...: three times
  local begin end list=()
  for _ in 1 2 3; do
    begin="${EPOCHREALTIME/[.,]/}"  # microseconds
    "$compiler" -std=c++20 -O2 -x c++ -c "$@" -o "$object"
    end="${EPOCHREALTIME/[.,]/}"
    list+=("$(printf '%d.%03d' $(((end - begin) / 1000000)) $(((end - begin) / 1000 % 1000)))")
  done
  local IFS=,
  echo "[${list[*]}]"
}

flags=()
for flag in "$@"; do [[ -n "$flag" && "$flag" != -I ]] && flags+=("$flag"); done
cpu="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
cat <<JSON
{"bench": "compile_time", "unit": "seconds", "compiler": "$("$compiler" --version | head -n 1)", "flags": "-std=c++20 -O2",
 "cpu": "$cpu", "commit": "$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)",
 "umbrella": $(seconds_for "$here/main.cpp" "${flags[@]}"), "empty": $(seconds_for /dev/null)}
JSON
