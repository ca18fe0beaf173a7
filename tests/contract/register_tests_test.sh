#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Do cmake/RegisterTests.cmake and tests/summary.sh lose a test?   register_tests_test.sh SOURCE_DIRECTORY CTEST
# A program that only pretends to hold tests is registered, run and counted.
set -euo pipefail
source="$1"
ctest="$2"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
unset FAKE_RUNS FAKE_FAILS

cat >"$work/program" <<'PROGRAM'
#!/usr/bin/env bash
if [[ "$*" == *--gtest_list_tests* ]]; then
  echo 'Running main() from gmock_main.cc'
  printf 'Plain.\n  A\n  B  # GetParam() = [1; "x"]\n  DISABLED_C\nAll/KernelPerIsa.  # TypeParam = float\n  D/0\nAConcurrency.\n  E\n'
  if [[ "$FAKE_MANY" == yes ]]; then
    echo 'Many.'
    printf '  T%d\n' {1..199}
  fi
  exit
fi
result="${!#}"  # the last argument
result="${result#--gtest_output=xml:}"
mkdir -p "$(dirname "$result")"
echo "[==========] Running ${FAKE_RUNS:-1} tests from 1 test suite."
date='2026-11-30T00:00:00.000'
if [[ "${TRINE_ISA:-}" == other ]]; then
  echo '[  SKIPPED ] every test'
  date='1970-01-01T00:00:00.000'
fi
{
  echo "<testcase name=\"A\" result=\"completed\" timestamp=\"$date\" classname=\"Plain\">"
  [[ -z "${FAKE_FAILS:-}" ]] || printf '<failure message="one">\n<failure message="two">\n'
  echo '</testcase>'
  echo "<testcase name=\"B\" result=\"skipped\" timestamp=\"$date\" classname=\"Plain\">"
  echo "<testcase name=\"Elsewhere\" result=\"suppressed\" timestamp=\"$date\" classname=\"Plain\">"
} >"$result"
exit "${FAKE_FAILS:-0}"
PROGRAM
chmod +x "$work/program"
cat >"$work/CTestTestfile.cmake" <<EOF
set(folder [[things]])
set(program [[$work/program]])
set(emulator)
set(results [[$work/test_results]])
set(isas [[portable;other]])
include([[$source/cmake/RegisterTests.cmake]])
EOF

cd "$work"
failed=0
expect() {  # WHAT WANTED FOUND
  [[ "$2" == "$3" ]] && return
  printf '%s: expected\n%s\nfound\n%s\n' "$1" "$2" "$3"
  failed=1
}
entries() {
  "$ctest" -N | sed -n 's/.*Test *#[0-9]*: //p' | paste -sd ' '
}
status() {
  "$ctest" "$@" >"$work/log" 2>&1 && echo passed || echo failed
}
export FAKE_MANY=no
expect "entries" "things/1 things/concurrency things/portable things/other" "$(entries)"
expect "entries of 201 tests" "things/1 things/2 things/concurrency things/portable things/other" \
  "$(FAKE_MANY=yes entries)"
expect "labels" "things/concurrency things/portable" \
  "$("$ctest" -N -L 'concurrency|per_isa' -E other | sed -n 's/.*Test *#[0-9]*: //p' | paste -sd ' ')"
expect "a run" passed "$(status)"
expect "skipped entries" 1 "$(grep -c 'Skipped *[0-9]' log)"
expect "summary" "skipped  Plain.B: things/1 things/concurrency things/portable
GoogleTest: 3 tests in 3 entries, 0 failed, 3 skipped" "$("$source/tests/summary.sh" .)"
expect "names" "things/1: Plain.A" "$("$source/tests/summary.sh" . --names | head -n 1)"
expect "a program that runs nothing" failed "$(FAKE_RUNS=0 status)"
expect "a program that fails" failed "$(FAKE_FAILS=1 status -R 'things/1')"
expect "summary of a failure" "FAILED   Plain.A (things/1)" "$("$source/tests/summary.sh" . | grep FAILED)"
rm program
expect "entries without the program" "things/not_built" "$(entries)"
expect "no program" failed "$(status)"
exit "$failed"
