#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Is every header that programs include on the page of the API?   check_public_headers.sh ROOT
#   - A header of include/trine is linked from docs/reference/api.md, or stands in its list of internal headers.
#   - What the umbrella header, programs (examples, consumers) and the code of the pages include is linked.
#   - The page links nothing twice, and its list names nothing that is not there.
# Prints every problem and ends with 1 if there is one.
set -euo pipefail
cd "${1:?usage: check_public_headers.sh ROOT}"
page=docs/reference/api.md

linked="$(grep -oE '\]\([./]*include/trine/[^)]+\.hpp\)' "$page" | sed -E 's|.*include/trine/||; s|\)$||' | LC_ALL=C sort)"
mapfile -t internal < <(sed -n '/^## Internal headers/,$p' "$page" | grep -E '^ *(-|`)' | grep -oE '`[^`]+`' | tr -d '`')
mapfile -t headers < <(find include/trine -name '*.hpp' | sed 's|^include/trine/||' | LC_ALL=C sort)
mapfile -t programs < <({
  find examples tests/contract/consumers \( -name '*.cpp' -o -name '*.hpp' \) 2>/dev/null || true
  find README.md docs -name '*.md' -exec sed -nE 's|^<!-- source: ([^ ,]+).*|\1|p' {} +
} | LC_ALL=C sort -u)
included="$(sed -nE 's|^ *#include <trine/(.*\.hpp)>.*|\1|p' include/trine/trine.hpp "${programs[@]}" | LC_ALL=C sort -u)"

is_linked() { grep -qxF "$1" <<<"$linked"; }

problems() {
  local header pattern known
  uniq -d <<<"$linked" | sed 's|$|: twice on the page|'
  for header in "${headers[@]}"; do
    is_linked "$header" && continue
    known=""
    for pattern in "${internal[@]}"; do
      # shellcheck disable=SC2053  # a pattern, whose * also stands for folders
      [[ "$header" == $pattern ]] && known=yes
    done
    [[ -n "$known" ]] || echo "$header: neither linked nor in the list of internal headers"
  done
  for pattern in "${internal[@]}"; do
    known=""
    # shellcheck disable=SC2053
    for header in "${headers[@]}"; do [[ "$header" == $pattern ]] && known=yes; done
    [[ -n "$known" ]] || echo "$pattern: in the list of internal headers, and there is no such header"
  done
  while read -r header; do
    is_linked "$header" || echo "$header: programs or pages include it, and it is not linked"
  done <<<"$included"
}

found="$(problems)"
if [[ -n "$found" ]]; then
  sed "s|^|$page: |" <<<"$found"
  exit 1
fi
echo "$(wc -l <<<"$linked") public headers on the page, ${#headers[@]} in all: all as they should be"
