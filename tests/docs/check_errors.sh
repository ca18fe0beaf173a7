#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Can the library still say what docs/reference/errors.md quotes?   check_errors.sh ROOT [--missing]
# A message in the tables of the page must hold, in their order, all string literals of one `throw ...Error(...)`,
# `fail(...)` or `require(...)` of the library, but those of its details. Each message, and each exit code, stands there
# once. With --missing: which of these statements no message of the page shows.
set -euo pipefail
root="${1:?usage: check_errors.sh ROOT [--missing]}"
cd "$root"

find include/trine -name '*.hpp' -o -name '*.inl' | LC_ALL=C sort | xargs awk -v page=docs/reference/errors.md -v missing="${2:-}" '
  # The literals of a statement, joined by \1; escaped quotes become quotes.
  function literals(text,    result, one) {
    result = ""
    gsub(/at\("[^"]*"\)/, "", text)
    gsub(/\{[^{}]*(\.field = |\.path = |ErrorKind::)[^{}]*\}/, "", text)  # ErrorDetails
    while (match(text, /"([^"\\]|\\.)*"/)) {
      one = substr(text, RSTART + 1, RLENGTH - 2)
      text = substr(text, RSTART + RLENGTH)
      gsub(/\\"/, "\"", one)
      result = result one "\1"
    }
    return result
  }
  function says(joined, message,    parts, n, i, at) {
    n = split(joined, parts, "\1")
    for (i = 1; i < n; ++i) {
      at = index(message, parts[i])
      if (at == 0) return 0
      message = substr(message, at + length(parts[i]))
    }
    return 1
  }
  FNR == 1 { statement = "" }
  {
    line = $0
    sub(/^ *\/\/.*/, "", line)
    if (statement == "" && match(line, /throw [A-Za-z]+Error\(|throw_file_error\(|fail\(|require\(|message \+?= /)) {
      statement = substr(line, RSTART)
      place = FILENAME ":" FNR
    } else if (statement != "") {
      statement = statement line
    }
    if (statement != "" && line ~ /[;{] *$/) {
      joined = literals(statement)
      size = length(joined)
      # What every getter says, "...: expected ..., found ...", proves nothing.
      if (size >= 8 && joined != ": expected \1, found \1") { known[++count] = joined; where[count] = place }
      statement = ""
    }
  }
  END {
    while ((getline line < page) > 0) {
      ++number
      if (line ~ /^## /) inside = line ~ /^## [A-Za-z]+Error$/
      if (match(line, /^\| [0-9]+ \|/) || (inside && match(line, /^\| `[^`]+`/))) {
        entry = substr(line, 3, RLENGTH - 2); sub(/ [|]$/, "", entry)
        if (entry in first) { print page ":" number ": again, as in line " first[entry] ": " entry; bad = 1 }
        first[entry] = number
      }
      if (!inside || line !~ /^\| `/) continue
      match(line, /`[^`]+`/)
      message = substr(line, RSTART + 1, RLENGTH - 2)
      ++messages
      found = 0
      for (i = 1; i <= count; ++i) if (says(known[i], message)) { found = 1; shown[i] = 1 }
      if (!found) { print page ":" number ": the library does not say: " message; bad = 1 }
    }
    for (i = 1; i <= count && missing == "--missing"; ++i)
      if (!shown[i]) { gsub("\1", " ... ", known[i]); print where[i] ": " known[i] }
    if (messages == 0) { print page ": no messages found"; bad = 1 }
    if (!bad) print messages " messages, all of which the library can say"
    exit bad
  }
'
