#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Counts the tests that the test programs ran, since CTest counts entries of up to some hundred tests, and names those that
# failed or skipped themselves:   tests/summary.sh BUILD_DIRECTORY [--names]
# --names prints all that ran in place of that, each after its entry.
set -euo pipefail
compgen -G "$1/test_results/*.xml" >/dev/null || exit 0
awk -v names="${2:-}" '
  function attribute(key) {
    if (!match($0, " " key "=\"[^\"]*\"")) return ""
    return substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 4)
  }
  FNR == 1 {
    entry = FILENAME
    sub(".*/", "", entry)
    sub("[.]xml$", "", entry)
    gsub("[.]", "/", entry)
  }
  /<testcase / {
    test = attribute("classname") "." attribute("name")
    failed_before = 0
    if (attribute("timestamp") ~ /^19/) next  # the whole program was skipped
    if (attribute("result") == "skipped") {
      skipped++
      skips[test] = skips[test] " " entry
    } else if (attribute("result") == "completed") {
      ran++
      entries[entry]
      if (names) print entry ": " test
    }
  }
  /<failure / && !failed_before && !names {
    failed++
    failed_before = 1
    print "FAILED   " test " (" entry ")"
  }
  END {
    if (names) exit
    for (test in skips) print "skipped  " test ":" skips[test] | "sort"
    close("sort")
    printf "GoogleTest: %d tests in %d entries, %d failed, %d skipped\n", ran, length(entries), failed, skipped
  }' "$1"/test_results/*.xml
