// SPDX-License-Identifier: Apache-2.0
// A downstream translation unit: includes the umbrella and loads a model, so that the inference code is compiled, too.
#include <cstdio>

#include <trine/trine.hpp>

int main(int argc, char** argv) {
  try {
    std::printf("%s\n", trine::parse_json(argc > 1 ? argv[1] : "{}", "argument").dump().c_str());
  } catch (const trine::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
