# SPDX-License-Identifier: Apache-2.0
target_link_libraries(fuzz_pattern PRIVATE trine::pcre2)

# The patterns of published tokenizers.
file(READ ${PROJECT_SOURCE_DIR}/tests/golden/tokenizer/splits.json splits)
foreach(group real other)
  string(JSON last LENGTH "${splits}" ${group} cases)
  math(EXPR last "${last} - 1")
  foreach(i RANGE ${last})
    string(JSON pattern GET "${splits}" ${group} cases ${i} 0)
    file(WRITE ${seeds}/${group}_${i} "${pattern}\nThe QUICK  fox's 1234 é中 😀!\n\n aaab_ x\t")
  endforeach()
endforeach()
