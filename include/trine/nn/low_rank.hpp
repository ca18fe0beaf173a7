// SPDX-License-Identifier: Apache-2.0
// What an adapter does to a linear map: a low-rank update, which is computed beside the map and never merged into its
// weights. LoRA: Hu et al. 2021, arXiv:2106.09685. DoRA: Liu et al. 2024, arXiv:2402.09353.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/quant/weight_matrix.hpp>

namespace trine::inline TRINE_ABI {

/// One adapter on one linear map y = x W^T + b. In this order:
///   weight, if there is one   y = x weight^T + weight_bias                     (modules_to_save)
///   low rank                  y += s (B (A x) + bias)
///   DoRA                      y = g (y - b) + b,   g = magnitude / |W + s B A|, row by row
/// with s = scale times the scale that the adapter is attached with.
struct LowRank {
  std::size_t rank = 0;
  float scale = 0.0F;                // lora_alpha / rank, or lora_alpha / sqrt(rank)
  const float* a = nullptr;          // [rank, in]
  const float* b = nullptr;          // [rank, out]: B transposed
  const float* bias = nullptr;       // [out] of B, or null
  const float* magnitude = nullptr;  // [out] of DoRA, or null
  /// [3, out] of DoRA: |W_o|^2, 2 W_o . (B A)_o and |(B A)_o|^2 of each row o of W.
  const float* norms = nullptr;
  const WeightMatrix* weight = nullptr;  // [out, in] in place of W, or null
  const float* weight_bias = nullptr;    // [out] in place of b, or null: b stays

  /// g of output o with the adapter attached at `attached`.
  [[nodiscard]] float dora_gain(std::size_t o, std::size_t out, float attached) const noexcept {
    const double s = static_cast<double>(scale) * static_cast<double>(attached);
    const double square = static_cast<double>(norms[o]) + s * static_cast<double>(norms[out + o]) +
                          s * s * static_cast<double>(norms[2 * out + o]);
    return static_cast<float>(static_cast<double>(magnitude[o]) / std::sqrt(std::max(square, 0.0)));
  }
};

/// An adapter as rows of a batch use it.
struct AttachedAdapter {
  std::span<const LowRank* const> maps = {};  // by Linear::target(); null where the adapter leaves the map alone
  float scale = 1.0F;

  [[nodiscard]] const LowRank* of(std::uint32_t target) const noexcept {
    return scale != 0.0F && target < maps.size() ? maps[target] : nullptr;
  }
};

/// Rows [first, first + count) of the input of a map belong to a sequence with these adapters, applied in order.
struct AdapterRows {
  std::size_t first = 0;
  std::size_t count = 0;
  std::span<const AttachedAdapter> adapters = {};
};

}  // namespace trine::inline TRINE_ABI
