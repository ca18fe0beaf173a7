# SPDX-License-Identifier: Apache-2.0
# A file as Doxygen is to read it. Lines keep their numbers.
#   Headers: the first comment describes the file, and the inline namespace of the ABI is left out.
#   Pages: headings have the anchors that GitHub gives them, and links lead to headers and to pages of the reference.
FNR == 1 { page = FILENAME ~ /\.md$/; opening = !page; fenced = 0 }

!page && FNR == 1 { print "/// @file"; next }  # in place of the licence
opening && /^\/\// { print "/" $0; next }
!page { opening = 0; sub(/^namespace trine::inline TRINE_ABI/, "namespace trine"); print; next }

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
  print line rest
}
