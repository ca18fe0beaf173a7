// SPDX-License-Identifier: Apache-2.0
// The maps from a latent to the keys and values of all heads, in both layouts: rows of one matrix, or one stack for
// each. Converted files have the latter, with the keys transposed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <trine/nn/linear.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// U_h [N, C] and V_h [D, C] of each head h (multi_head_latent_attention.hpp).
class LatentUpProjection {
 public:
  /// Extents, named as in config.json.
  struct Shape {
    std::size_t num_heads = 0;
    std::size_t qk_nope_head_dim = 0;  ///< N
    std::size_t v_head_dim = 0;        ///< D
    std::size_t kv_lora_rank = 0;      ///< C

    /// Rows of U_h and V_h.
    [[nodiscard]] constexpr std::size_t head_rows() const noexcept { return qk_nope_head_dim + v_head_dim; }
  };

  /// Reads "kv_b_proj" [heads * (N + D), C], U_h before V_h; or "k_b_proj" [heads, C, N], the transposed U_h, and
  /// "v_b_proj" [heads, D, C]. Throws WeightError.
  LatentUpProjection(const WeightScope& attention, const Shape& shape) : shape_(shape) {
    const WeightScope scope = attention.unpacked("read by head and transposed");
    if (scope.contains("k_b_proj.weight") && !scope.contains("kv_b_proj.weight")) {
      keys_.emplace(scope.stack("k_b_proj.weight", {shape.num_heads, 1, shape.kv_lora_rank, shape.qk_nope_head_dim}));
      values_.emplace(scope.stack("v_b_proj.weight", {shape.num_heads, 1, shape.v_head_dim, shape.kv_lora_rank}));
      target_ = (scope / "kv_b_proj").add_linear({.rows = rows(), .columns = shape.kv_lora_rank});
      return;
    }
    joined_.emplace(scope / "kv_b_proj", shape.kv_lora_rank, rows());
    target_ = joined_->target();
    for (const char* part : {"k_b_proj", "v_b_proj"}) scope.ignore(part, "repeats a part of kv_b_proj");
  }

  /// Both of all heads as one map: U_h begins at row h * head_rows(). Null in the other layout.
  [[nodiscard]] const Linear* joined() const noexcept { return joined_ ? &*joined_ : nullptr; }

  /// U_h.
  [[nodiscard]] Linear key(std::size_t head) const noexcept {
    if (keys_) return Linear(keys_->matrix(head).transpose());
    return Linear(joined_->weight().row_range(head * shape_.head_rows(), shape_.qk_nope_head_dim));
  }
  /// V_h.
  [[nodiscard]] Linear value(std::size_t head) const noexcept {
    if (values_) return Linear(values_->matrix(head));
    return Linear(joined_->weight().row_range(head * shape_.head_rows() + shape_.qk_nope_head_dim, shape_.v_head_dim));
  }

  /// What the adapters of a sequence do to the rows of "kv_b_proj", in either layout.
  [[nodiscard]] SequenceUpdates updates(const SequenceSlice& sequence) const {
    return {sequence.adapters, target_, shape_.kv_lora_rank, rows()};
  }
  /// Number of weights.
  [[nodiscard]] std::size_t parameters() const noexcept { return rows() * shape_.kv_lora_rank; }

 private:
  [[nodiscard]] std::size_t rows() const noexcept { return shape_.num_heads * shape_.head_rows(); }

  Shape shape_;
  std::uint32_t target_ = kNoTarget;  // of "kv_b_proj"
  std::optional<Linear> joined_;
  std::optional<WeightStack> keys_;
  std::optional<WeightStack> values_;
};

}  // namespace trine::inline TRINE_ABI
