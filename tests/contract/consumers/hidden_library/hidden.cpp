// SPDX-License-Identifier: Apache-2.0
#include "hidden.hpp"

#include <array>
#include <stdexcept>

#include <trine/trine.hpp>

unsigned long logits_of_one_token(const char* model_directory) {
  try {
    trine::Session session(trine::Model::load(model_directory));
    const std::array<trine::TokenId, 1> tokens{1};
    return session.forward(tokens).extent(1);
  } catch (const trine::Error& error) {
    throw std::runtime_error(error.what());  // a type that both sides share
  }
}
