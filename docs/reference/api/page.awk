# SPDX-License-Identifier: Apache-2.0
# A page as Doxygen is to read it; lines keep their numbers. Headings have the anchors that GitHub gives them. Links lead
# to headers and tasks; those that lead elsewhere become text. Names that a table says a header defines become links.
FNR == 1 && /^# / {
  name = FILENAME; sub(/^.*\//, "", name); sub(/\.md$/, "", name)
  print $0 " {#page-" name "}"
  next
}
/^```/ { fenced = !fenced }
fenced || /^```/ { print; next }
/^##+ / {
  anchor = tolower($0); sub(/^#+ +/, "", anchor)
  gsub(/[^a-z0-9 _-]/, "", anchor); gsub(/ /, "-", anchor)
  print $0 " {#" anchor "}"
  next
}
{ print defined_names(links($0)) }

function links(rest,    line, link, text, target) {
  line = ""
  while (match(rest, /\[[^]]*\]\([^)]*\)/)) {
    line = line substr(rest, 1, RSTART - 1)
    link = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    text = link; sub(/^\[/, "", text); sub(/\]\(.*$/, "", text)
    target = link; sub(/^.*\]\(/, "", target); sub(/\)$/, "", target)
    if (target ~ /include\/trine\/.*\.hpp$/) { sub(/^.*include\//, "", target); link = "[" text "](@ref " target ")" }
    else if (target ~ /generate-text\.md#/) { sub(/^.*#/, "", target); link = "[" text "](@ref " target ")" }
    else if (target ~ /api\.md$/) link = "[" text "](@ref index)"
    else if (target !~ /^#|^[a-z]+:/) link = text
    line = line link
  }
  return line rest
}

# `NAME` in the last cell of a row that begins with a link.
function defined_names(line,    at, cell, name) {
  if (line !~ /^\| \[/) return line
  at = match(line, /\|[^|]*\|$/)
  cell = substr(line, at)
  line = substr(line, 1, at - 1)
  while (match(cell, /`[^`]*`/)) {
    name = substr(cell, RSTART + 1, RLENGTH - 2)
    line = line substr(cell, 1, RSTART - 1) "@ref " (name ~ /^TRINE_/ ? "" : "trine::") name " \"" name "\""
    cell = substr(cell, RSTART + RLENGTH)
  }
  return line cell
}
