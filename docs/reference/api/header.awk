# SPDX-License-Identifier: Apache-2.0
# A header as Doxygen is to read it; lines keep their numbers. The first comment describes the file, indented lines of a
# comment (equations, tables, drawings) stay lines, and the inline namespace of the ABI is left out.
# Comments become blocks, /** ... */: only there are lines left alone between @verbatim and @endverbatim.
function comment(line,    was_verbatim, begins) {  # printed when the next line is known
  gsub(/\*\//, "* /", line)
  was_verbatim = verbatim
  verbatim = line ~ /^ *\/\/\/   +[^ ]/
  begins = !holding
  release(was_verbatim && !verbatim, 0)
  match(line, /^ *\/\/\/ */)
  if (!verbatim) {
    sub(/\/\/\//, begins ? "/**" : " *", line)
  } else if (!was_verbatim) {
    indentation = RLENGTH
    sub(/\/\/\/ */, (begins ? "/**" : " *") " @verbatim ", line)
  } else {
    line = substr(line, (RLENGTH < indentation ? RLENGTH : indentation) + 1)
  }
  held = line
  holding = 1
}
function release(ends_verbatim, ends_comment) {
  if (holding) print held (ends_verbatim ? " @endverbatim" : "") (ends_comment ? " */" : "")
  if (ends_comment) holding = verbatim = 0
}
FNR == 1 { opening = 1; comment("/// @file"); next }  # in place of the licence
opening && /^\/\// { comment("/" $0); next }
{ opening = 0 }
/^ *\/\/\/($|[^\/<])/ { comment($0); next }
{
  release(verbatim, 1)
  sub(/^namespace trine::inline TRINE_ABI/, "namespace trine")
  sub(/public detail::ErrorOf<[^>]*>/, "public Error")  # what it adds is a constructor
  print
}
END { release(verbatim, 1) }
