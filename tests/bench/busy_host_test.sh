#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does bench/busy_host run and print its table? For a moment: the figures mean nothing.   busy_host_test.sh ROOT TRINE_BENCH
set -euo pipefail
root="${1:?usage: busy_host_test.sh ROOT TRINE_BENCH}"
bench="${2:?usage: busy_host_test.sh ROOT TRINE_BENCH}"
command -v python3 >/dev/null || exit 77  # skipped

said="$(python3 "$root/bench/busy_host/busy_host.py" --trine "$bench" -m "$root/examples/models/shakespeare" \
  --situations idle,busy --candidates "default,1 thread" --tests pp8,tg4 --seconds 0.05 --rounds 1)"
failed=0
expect() {
  grep -qE "$1" <<<"$said" || { echo "expected a line like $1"; failed=1; }
}
expect '^\| situation \| test \| default \| 1 thread \| default : better \|$'
for situation in idle busy; do
  for test in pp8 tg4; do
    expect "^\\| $situation \\| $test \\| [0-9]+\\.[0-9] \\| [0-9]+\\.[0-9] \\| [0-9]+\\.[0-9]{2} \\|\$"
  done
done
((failed)) && echo "$said"
exit "$failed"
