#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Has docs/reference/programs.md the options that a program has, and no others?   check_options.sh PAGE PROGRAM
set -euo pipefail
page="${1:?usage: check_options.sh PAGE PROGRAM}"
program="${2:?usage: check_options.sh PAGE PROGRAM}"
name="$(basename "$program")"

# Options stand first in their line of --help: "  -m,--model DIR ...", "  --no-display-prompt{false}  ...".
found="$("$program" --help | sed -nE 's/^ +(-[^ {]+).*/\1/p' | tr ',' '\n' | grep -vxE -- '--version|-h|--help' | LC_ALL=C sort -u)"
# In the page they stand in the first column of the section's table: | `-m`, `--model` DIR | ...
listed="$(awk -v heading="## $name" '/^## /{inside = $0 == heading} inside && /^\| `-/' "$page" | cut -d'|' -f2 |
  grep -oE -- '`-[^`]+`' | tr -d '`' | LC_ALL=C sort -u)"

if [[ "$found" != "$listed" ]]; then
  echo "$page, $name: < what --help lists, > what the page lists"
  diff <(echo "$found") <(echo "$listed") || true
  exit 1
fi
echo "$name: $(wc -l <<<"$found") options, all in the page"
