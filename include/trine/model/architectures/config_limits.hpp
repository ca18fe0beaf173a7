// SPDX-License-Identifier: Apache-2.0
// What a number of a config.json may be at most. Generous: their products stay far below 2^64, and no table that they
// size is large.
#pragma once

#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::config_limits {

inline constexpr std::size_t kWidth = 1U << 16U;              // hidden sizes, experts, heads times their width
inline constexpr std::size_t kIntermediateSize = kWidth * 4;  // inner widths
inline constexpr std::size_t kHeads = 1024;                   // heads of a layer
inline constexpr std::size_t kHeadDim = 1024;                 // width of a head
inline constexpr std::size_t kLayers = 4096;
inline constexpr std::size_t kVocab = 1U << 22U;      // rows of an embedding
inline constexpr std::size_t kPositions = 1U << 22U;  // positions of a sequence

}  // namespace trine::inline TRINE_ABI::config_limits
