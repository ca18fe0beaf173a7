#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Are the pages true where a script can tell?   check_pages.sh ROOT
#   - A ```cpp block stands behind a line <!-- source: FILE --> and its lines stand in FILE one after the other, whatever
#     their common indentation. <!-- source: FILE, whole --> asks for the whole file but its licence line.
#   - A relative link leads to a file or folder, and its #anchor to a heading there.
# Reads README.md and docs/**/*.md below ROOT; prints every problem with its place and ends with 1 if there is one.
set -euo pipefail
root="${1:?usage: check_pages.sh ROOT}"
cd "$root"

pages=(README.md)
while IFS= read -r page; do pages+=("$page"); done < <(find docs -name '*.md' | LC_ALL=C sort)

check_blocks() {
  awk '
    function dedent(lines, count,    i, least, indent) {
      least = -1
      for (i = 1; i <= count; ++i) {
        if (lines[i] ~ /^ *$/) { lines[i] = ""; continue }
        match(lines[i], /^ */)
        if (least < 0 || RLENGTH < least) least = RLENGTH
      }
      for (i = 1; i <= count; ++i) if (lines[i] != "") lines[i] = substr(lines[i], least + 1)
    }
    # Does the block stand at line `first` of the source? The difference of indentation is that of the first line.
    function stands_at(first,    i, extra, line) {
      match(source[first], /^ */)
      extra = RLENGTH - lead
      if (extra < 0) return 0
      for (i = 1; i <= count; ++i) {
        line = source[first + i - 1]
        if (line ~ /^ *$/) line = ""; else {
          match(line, /^ */)
          if (RLENGTH < extra) return 0
          line = substr(line, extra + 1)
        }
        if (line != block[i]) return 0
      }
      return 1
    }
    function compare(    size, line, i, found) {
      size = 0
      while ((status = (getline line < file)) > 0) source[++size] = line
      close(file)
      if (size == 0) { print place ": no such file: " file; return }
      if (whole) {
        i = source[1] ~ /SPDX-License-Identifier/ ? 2 : 1
        if (size - i + 1 != count) { print place ": not the whole of " file; return }
        for (; i <= size; ++i) if (source[i] != block[count - size + i]) { print place ": not the whole of " file ": line " i; return }
        return
      }
      dedent(block, count)
      match(block[1], /^ */)
      lead = RLENGTH
      found = 0
      for (i = 1; i + count - 1 <= size && !found; ++i) found = stands_at(i)
      if (!found) print place ": these lines do not stand in " file
    }
    FNR == 1 { file = ""; inside = 0 }
    inside && /^```/ { inside = 0; if (checked) compare(); file = ""; next }
    inside { if (checked) block[++count] = $0; next }
    /^<!-- source: .* -->$/ {
      file = $0; sub(/^<!-- source: /, "", file); sub(/ -->$/, "", file)
      whole = sub(/, whole$/, "", file)
      next
    }
    /^```/ {
      inside = 1; count = 0; place = FILENAME ":" FNR; checked = /^```cpp/
      if (checked && file == "") { print place ": a C++ block without <!-- source: FILE -->"; checked = 0 }
      next
    }
    /[^ ]/ { file = "" }
  ' "${pages[@]}"
}

# FILE#anchor of every heading, as GitHub makes them: lower case, spaces to hyphens, other signs dropped.
anchors() {
  awk '
    FNR == 1 { inside = 0 }
    /^```/ { inside = !inside; next }
    !inside && /^#+ / {
      text = tolower($0); sub(/^#+ +/, "", text)
      gsub(/[^a-z0-9 _-]/, "", text); gsub(/ /, "-", text)
      print FILENAME "#" text
    }
  ' "${pages[@]}"
}

# PAGE:LINE TARGET for every relative link outside code.
links() {
  awk '
    FNR == 1 { inside = 0 }
    /^```/ { inside = !inside; next }
    inside { next }
    {
      rest = $0
      gsub(/`[^`]*`/, "", rest)
      while (match(rest, /\]\([^)]*\)/)) {
        target = substr(rest, RSTART + 2, RLENGTH - 3)
        rest = substr(rest, RSTART + RLENGTH)
        if (target !~ /^[a-z]+:/) print FILENAME ":" FNR " " target
      }
      rest = $0
      while (match(rest, /(src|href)="[^"]*"/)) {
        target = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        sub(/^(src|href)="/, "", target); sub(/"$/, "", target)
        if (target !~ /^[a-z]+:/) print FILENAME ":" FNR " " target
      }
    }
  ' "${pages[@]}"
}

check_links() {
  local known place target page path
  known="$(anchors)"
  while read -r place target; do
    page="${place%:*}"
    path="${target%%#*}"
    if [[ -z "$path" ]]; then
      path="$page"
    else
      path="$(dirname "$page")/$path"
      if [[ ! -e "$path" ]]; then
        echo "$place: no such file: $target"
        continue
      fi
      path="$(realpath --relative-to=. "$path")"
    fi
    [[ "$path" == .. || "$path" == ../* ]] && echo "$place: leads out of the repository: $target"
    if [[ "$target" == *#* && "$path" == *.md ]] && ! grep -qxF "$path#${target#*#}" <<<"$known"; then
      echo "$place: no such heading: $target"
    fi
  done < <(links)
}

problems="$(check_blocks; check_links)"
if [[ -n "$problems" ]]; then
  echo "$problems"
  exit 1
fi
echo "${#pages[@]} pages, $(links | wc -l) links, $(cat "${pages[@]}" | grep -c '^```cpp' || true) blocks of C++: all as they should be"
