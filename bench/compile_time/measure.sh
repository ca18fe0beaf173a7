#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Seconds to compile a translation unit with -O2:  measure.sh COMPILER FLAG...
#   include   includes the umbrella and names its types; the goal is at most 8 s
#   use       also loads a model and generates, so that every kernel is compiled: once in a program
#   compiled  the same file where kernels, architectures and readers are in trine::compiled
#   empty     nothing, for comparison
# Prints one JSON document with every repetition: "cpu" is user time, which a busy machine disturbs less than "wall".
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
compiler="$1"
shift
object="$(mktemp --suffix=.o)"
trap 'rm -f "$object"' EXIT

seconds_for() {  # SOURCE FLAG...: three times
  local walls=() cpus=() wall cpu
  local TIMEFORMAT='%R %U'
  for _ in 1 2 3; do
    read -r wall cpu < <({ time "$compiler" -std=c++20 -O2 -x c++ -c "$@" -o "$object" 1>&2 2>/dev/null; } 2>&1)
    walls+=("$wall")
    cpus+=("$cpu")
  done
  local IFS=,
  echo "{\"wall\": [${walls[*]}], \"cpu\": [${cpus[*]}]}"
}

flags=()
for flag in "$@"; do [[ -n "$flag" && "$flag" != -I && "$flag" != -isystem ]] && flags+=("$flag"); done
for source in include use; do "$compiler" -std=c++20 -fsyntax-only "$here/$source.cpp" "${flags[@]}"; done  # or say why not
cpu="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
cat <<JSON
{"bench": "compile_time", "unit": "seconds", "compiler": "$("$compiler" --version | head -n 1)", "flags": "-std=c++20 -O2",
 "cpu": "$cpu", "commit": "$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)",
 "include": $(seconds_for "$here/include.cpp" "${flags[@]}"),
 "use": $(seconds_for "$here/use.cpp" "${flags[@]}"),
 "compiled": $(seconds_for "$here/use.cpp" -DTRINE_COMPILED_LIB "${flags[@]}"),
 "empty": $(seconds_for /dev/null)}
JSON
