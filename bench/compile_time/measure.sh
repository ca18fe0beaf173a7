#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What it takes to compile a translation unit that uses the library:  measure.sh COMPILER FLAG...
#   include           includes the umbrella and names its types; the goal is at most 8 s
#   use               also loads a model and generates, so that every kernel is compiled: once in a program
#   include_compiled  the first with trine::compiled, whose headers only declare
#   compiled          the second with trine::compiled
#   empty             nothing, for comparison
# Prints one JSON document with every repetition: "cpu" is user time in seconds, which a busy machine disturbs less than
# "wall"; "megabytes" is the most memory that the compiler took, null without GNU time.
# OPTIMISATION is -O2 unless the environment says otherwise, REPETITIONS is 3.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
compiler="$1"
shift
optimisation="${OPTIMISATION:--O2}"
object="$(mktemp --suffix=.o)"
memory="$(mktemp)"
trap 'rm -f "$object" "$memory"' EXIT
gnu_time=()
if [[ -x /usr/bin/time ]] && /usr/bin/time -f %M -o "$memory" true 2>/dev/null; then
  gnu_time=(/usr/bin/time -f %M -o "$memory")
fi

cost_of() {  # SOURCE FLAG...: repeated
  local walls=() cpus=() megabytes=() wall cpu
  local TIMEFORMAT='%R %U'
  for ((i = 0; i < ${REPETITIONS:-3}; ++i)); do
    read -r wall cpu < <({ time "${gnu_time[@]}" "$compiler" -std=c++20 "$optimisation" -x c++ -c "$@" -o "$object" \
      1>&2 2>/dev/null; } 2>&1)
    walls+=("$wall")
    cpus+=("$cpu")
    megabytes+=("$([[ ${#gnu_time[@]} -gt 0 ]] && echo $(($(cat "$memory") / 1000)) || echo null)")
  done
  local IFS=,
  echo "{\"wall\": [${walls[*]}], \"cpu\": [${cpus[*]}], \"megabytes\": [${megabytes[*]}]}"
}

flags=()
for flag in "$@"; do [[ -n "$flag" && "$flag" != -I && "$flag" != -isystem ]] && flags+=("$flag"); done
for source in include use; do "$compiler" -std=c++20 -fsyntax-only "$here/$source.cpp" "${flags[@]}"; done  # or say why not
cpu="$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
cat <<JSON
{"bench": "compile_time", "unit": "seconds", "compiler": "$("$compiler" --version | head -n 1)",
 "flags": "-std=c++20 $optimisation",
 "cpu": "$cpu", "commit": "$(git -C "$here" rev-parse --short HEAD 2>/dev/null || echo unknown)",
 "include": $(cost_of "$here/include.cpp" "${flags[@]}"),
 "use": $(cost_of "$here/use.cpp" "${flags[@]}"),
 "include_compiled": $(cost_of "$here/include.cpp" -DTRINE_COMPILED_LIB "${flags[@]}"),
 "compiled": $(cost_of "$here/use.cpp" -DTRINE_COMPILED_LIB "${flags[@]}"),
 "empty": $(cost_of /dev/null)}
JSON
