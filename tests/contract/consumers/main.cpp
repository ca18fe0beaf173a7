// SPDX-License-Identifier: Apache-2.0
// A downstream program: says which library it got, loads the model it is given, and asks for the logits of one token.
#include <array>
#include <cstdio>

#include <trine/trine.hpp>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    trine::Session session(trine::Model::load(argv[1]));
    const std::array<trine::TokenId, 1> tokens{1};
    const auto logits = session.forward(tokens);
    std::printf("trine %s, %s, %zu threads: %zu logits\n", TRINE_VERSION_STRING, trine::to_string(session.isa()).data(),
                session.num_threads(), logits.extent(1));
    return logits.extent(1) == session.model().info().vocab_size ? 0 : 1;
  } catch (const trine::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
