// SPDX-License-Identifier: Apache-2.0
// A downstream program: says which library it got and asks it for something that needs every dependency's header.
#include <cstdio>

#include <trine/trine.hpp>

int main() {
  try {
    static_cast<void>(trine::parse_json("{\"a\": 1, \"a\": 2}", "text"));
  } catch (const trine::Error& error) {
    std::printf("trine %s, %s, %zu threads: %s\n", TRINE_VERSION_STRING, trine::to_string(trine::best_isa()).data(),
                trine::default_threads(), error.what());
    return 0;
  }
  return 1;
}
