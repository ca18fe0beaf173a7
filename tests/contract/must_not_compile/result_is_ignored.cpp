// SPDX-License-Identifier: Apache-2.0
// error: nodiscard|ignoring return value
#include <trine/json/parse.hpp>

void use() {
#ifdef TRINE_MISUSE
  trine::parse_json("{}", "literal");
#else
  static_cast<void>(trine::parse_json("{}", "literal"));
#endif
}
