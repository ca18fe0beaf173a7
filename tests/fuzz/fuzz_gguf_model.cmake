# SPDX-License-Identifier: Apache-2.0
# Whole files of the tiny models of each architecture.
file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/gguf_models/*.gguf)
file(COPY ${files} DESTINATION ${seeds})
if(TARGET trine::pcre2)
  target_link_libraries(fuzz_gguf_model PRIVATE trine::pcre2)
endif()
