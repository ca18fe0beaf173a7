// SPDX-License-Identifier: Apache-2.0
// A downstream translation unit that includes the umbrella and names a few of its types: what most files of a program
// that uses the library do.
#include <trine/trine.hpp>

struct Assistant {
  trine::Model model;
  trine::Tokenizer tokenizer;
  trine::GenerateOptions options;
};

std::size_t prompt_tokens(const trine::GenerateResult& result) { return result.prompt_tokens.size(); }
