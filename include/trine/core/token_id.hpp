// SPDX-License-Identifier: Apache-2.0
// The number of a token in a vocabulary.
#pragma once

#include <cstdint>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// An index into the vocabulary, the rows of the embedding and the logits.
using TokenId = std::uint32_t;

}  // namespace trine::inline TRINE_ABI
