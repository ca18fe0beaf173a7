# SPDX-License-Identifier: Apache-2.0
# Defines trine::pcre2, what trine/text/tokenizer/pcre2_regex.hpp needs, where PCRE2 is: its target PCRE2::8BIT, or pcre2.h and a
# library pcre2-8. Used by trine's own build and, installed, by find_package(trine COMPONENTS pcre2).

if(NOT TARGET PCRE2::8BIT)
  find_path(TRINE_PCRE2_INCLUDE_DIR pcre2.h)
  find_library(TRINE_PCRE2_LIBRARY pcre2-8)
  mark_as_advanced(TRINE_PCRE2_INCLUDE_DIR TRINE_PCRE2_LIBRARY)
  if(TRINE_PCRE2_INCLUDE_DIR AND TRINE_PCRE2_LIBRARY)
    add_library(PCRE2::8BIT UNKNOWN IMPORTED GLOBAL)
    set_target_properties(PCRE2::8BIT PROPERTIES IMPORTED_LOCATION ${TRINE_PCRE2_LIBRARY}
                                                 INTERFACE_INCLUDE_DIRECTORIES ${TRINE_PCRE2_INCLUDE_DIR})
  endif()
endif()
if(TARGET PCRE2::8BIT AND NOT TARGET trine::pcre2)
  add_library(trine::pcre2 INTERFACE IMPORTED GLOBAL)
  set_target_properties(trine::pcre2 PROPERTIES INTERFACE_LINK_LIBRARIES "trine::trine;PCRE2::8BIT")
endif()
