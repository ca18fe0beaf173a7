// SPDX-License-Identifier: Apache-2.0
// The number of a token in a vocabulary.
#pragma once

#include <cstdint>
#include <limits>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// An index into the vocabulary, the rows of the embedding and the logits.
using TokenId = std::uint32_t;

/// Stands where a position has no token: it was given as an input embedding. No vocabulary has it.
inline constexpr TokenId kNoTokenId = std::numeric_limits<TokenId>::max();

}  // namespace trine::inline TRINE_ABI
