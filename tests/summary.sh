#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counts what the test programs ran, since CTest counts entries of some hundred tests:   tests/summary.sh BUILD_DIRECTORY
# Names every test that failed or was skipped. --names in place of that: every test that ran, after its entry.
set -euo pipefail
results="$1/test_results"
compgen -G "$results/*.xml" >/dev/null || exit 0
awk -v names="${2:-}" '
  FNR == 1 { entry = FILENAME; sub(".*/", "", entry); sub("[.]xml$", "", entry); gsub("[.]", "/", entry) }
  function attribute(key) {
    if (!match($0, " " key "=\"[^\"]*\"")) return ""
    return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4)
  }
  /<testcase / {
    test = entry ": " attribute("classname") "." attribute("name")
    result = attribute("result")
    if (result == "skipped") { skipped++; list = list "  skipped " test "\n" }
    if (result == "completed") {
      ran++
      programs[FILENAME] = 1
      if (names) print test
    }
  }
  /<failure / && test != last { failed++; last = test; list = list "  FAILED " test "\n" }
  END {
    if (names) exit
    printf "%sGoogleTest: %d tests ran in %d of these entries, %d failed, %d skipped\n", list, ran, length(programs), failed, skipped
  }' "$results"/*.xml
