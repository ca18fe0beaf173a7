// SPDX-License-Identifier: Apache-2.0
// A program that does not know of trine.
#include <cstdio>
#include <stdexcept>

#include "hidden.hpp"

int main(int argc, char** argv) {
  if (argc != 2 || logits_of_one_token(argv[1]) == 0) return 1;
  try {
    static_cast<void>(logits_of_one_token("no-such-model"));
  } catch (const std::runtime_error& error) {
    std::puts(error.what());
    return 0;
  }
  return 1;
}
