// SPDX-License-Identifier: Apache-2.0
// A downstream translation unit: includes the umbrella, loads a model and completes a prompt, so that all of it is
// compiled and not only read.
#include <cstdio>

#include <trine/trine.hpp>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    trine::Session session(trine::Model::load(argv[1]));
    const auto tokenizer = trine::Tokenizer::load(argv[1]);
    std::printf("%s\n", trine::generate(session, tokenizer, argv[2]).text.c_str());
  } catch (const trine::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
