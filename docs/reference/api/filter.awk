# SPDX-License-Identifier: Apache-2.0
# A file as Doxygen is to read it. Lines keep their numbers.
#   Headers: the first comment describes the file; lines of a comment that are indented (equations, tables, drawings) stay
#   lines; the inline namespace of the ABI is left out.
#   Pages: headings have the anchors that GitHub gives them, links lead to headers and tasks, and names that a table
#   says a header defines are links, which must lead somewhere.
# As a block, /** ... */: only there are lines left alone between @verbatim and @endverbatim.
function comment(line,    was_verbatim, begins) {  # printed when the next line is known
  gsub(/\*\//, "* /", line)
  was_verbatim = verbatim
  verbatim = line ~ /^ *\/\/\/   +[^ ]/
  begins = !holding
  flush_line(was_verbatim && !verbatim, 0)
  if (verbatim && !was_verbatim) {
    match(line, /^ *\/\/\/ */)
    indentation = RLENGTH
    sub(/\/\/\/ */, (begins ? "/**" : " *") " @verbatim ", line)
  } else if (verbatim) {
    match(line, /^ *\/\/\/ */)
    line = substr(line, (RLENGTH < indentation ? RLENGTH : indentation) + 1)
  } else {
    sub(/\/\/\//, begins ? "/**" : " *", line)
  }
  held = line
  holding = 1
}
function flush_line(ends_verbatim, ends) {
  if (holding) print held (ends_verbatim ? " @endverbatim" : "") (ends ? " */" : "")
  if (ends) holding = verbatim = 0
}
FNR == 1 { page = FILENAME !~ /\.hpp$/; opening = !page }
END { flush_line(verbatim, 1) }

!page && FNR == 1 { comment("/// @file"); next }  # in place of the licence
opening && /^\/\// { comment("/" $0); next }
!page {
  opening = 0
  if ($0 ~ /^ *\/\/\/($|[^\/<])/) { comment($0); next }
  flush_line(verbatim, 1)
  sub(/^namespace trine::inline TRINE_ABI/, "namespace trine")
  print
  next
}

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
{
  rest = $0
  line = ""
  while (match(rest, /\[[^]]*\]\([^)]*\)/)) {
    line = line substr(rest, 1, RSTART - 1)
    link = substr(rest, RSTART, RLENGTH)
    rest = substr(rest, RSTART + RLENGTH)
    text = link; sub(/^\[/, "", text); sub(/\]\(.*$/, "", text)
    target = link; sub(/^.*\]\(/, "", target); sub(/\)$/, "", target)
    if (target ~ /include\/trine\/.*\.hpp$/) { sub(/^.*include\//, "", target); link = "[" text "](@ref " target ")" }
    else if (target ~ /generate-text\.md#/) { sub(/^.*#/, "", target); link = "[" text "](@ref " target ")" }
    else if (target !~ /^#|^[a-z]+:/) { sub(/^(\.\.\/)+/, "", target); link = text }
    line = line link
  }
  line = line rest
  if (line ~ /^\| \[/) {
    at = match(line, /\|[^|]*\|$/)
    head = substr(line, 1, at - 1)
    tail = substr(line, at)
    line = ""
    while (match(tail, /`[^`]*`/)) {
      name = substr(tail, RSTART + 1, RLENGTH - 2)
      line = line substr(tail, 1, RSTART - 1) "@ref " (name ~ /^TRINE_/ ? "" : "trine::") name " \"" name "\""
      tail = substr(tail, RSTART + RLENGTH)
    }
    line = head line tail
  }
  print line
}
