// SPDX-License-Identifier: Apache-2.0
// Upper limits of the integers of a config.json. They are generous, but their products stay far below 2^64, and no
// table that they size is large.
#pragma once

#include <cstddef>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::config_limits {

inline constexpr std::size_t kWidth = 1U << 16U;              // hidden sizes, experts, heads times their width
inline constexpr std::size_t kIntermediateSize = kWidth * 4;  // intermediate widths
inline constexpr std::size_t kHeads = 1024;                   // heads per layer
inline constexpr std::size_t kHeadDim = 1024;                 // width of a head
inline constexpr std::size_t kLayers = 4096;
inline constexpr std::size_t kVocab = 1U << 22U;      // rows of an embedding
inline constexpr std::size_t kPositions = 1U << 22U;  // positions of a sequence

}  // namespace trine::inline TRINE_ABI::config_limits
