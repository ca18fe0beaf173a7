# SPDX-License-Identifier: Apache-2.0
# TRINE_SANITIZERS=address,undefined or thread: for everything below this project. A finding ends the program.

if(TRINE_SANITIZERS AND PROJECT_IS_TOP_LEVEL)
  string(REPLACE ";" "," trine_sanitizers "${TRINE_SANITIZERS}")
  add_compile_options(-fsanitize=${trine_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${trine_sanitizers})
endif()
