// SPDX-License-Identifier: Apache-2.0
// Quantises rows of activations to int8, written once and included once per instruction set
// (kernels/quantize_rows.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// The largest magnitude of a block, and the largest without one value.
TRINE_INLINE float largest_of(const float* x, std::size_t columns) {
  Vec largest = Vec::zero();
  for (std::size_t i = 0; i < columns; i += Vec::lanes) {
    const Vec v = Vec::load(x + i);
    largest = max(largest, max(v, sub(Vec::zero(), v)));
  }
  return max_of(largest);
}
TRINE_INLINE float largest_without(const float* x, std::size_t columns, std::size_t column) {
  alignas(64) float others[kScaleBlock];
  for (std::size_t i = 0; i < columns; ++i) others[i] = x[i];
  others[column] = 0.0F;
  return largest_of(others, columns);
}

// One block of `count` <= Scale values, with a sum for every Sum of them; codes and sums are padded to the end of its
// last 32 columns.
template <std::size_t Scale, std::size_t Sum>
TRINE_INLINE void quantize_group(const float* x, std::size_t count, std::int8_t* codes, float* scale,
                                 std::int32_t* sums, Outlier* outlier) {
  alignas(64) float padded[Scale] = {};  // a whole block, even at the end of a row
  const std::size_t columns = group_columns(0, count);
  if (count < columns) {
    for (std::size_t i = 0; i < count; ++i) padded[i] = x[i];
    x = padded;
  }
  Vec poison = Vec::zero();  // x - x is NaN if x is not finite
  for (std::size_t i = 0; i < columns; i += Vec::lanes) poison = add(poison, sub(Vec::load(x + i), Vec::load(x + i)));
  float most = largest_of(x, columns);
  const float bad = sum(poison);
  const bool usable = bad == 0.0F && most >= 1e-30F;  // below, 127 / most could overflow, and 0 is accurate enough
  std::size_t column = 0;
  bool apart = false;
  if (outlier != nullptr) {
    *outlier = {0, 0};
    if (usable) {
      while (x[column] != most && x[column] != -most) ++column;
      const float others = largest_without(x, columns, column);
      apart = most > kOutlierRatio * others;
      constexpr float kMostExtra = 1 << 14;  // times 127
      if (apart) most = others * kMostExtra > most ? others : most / kMostExtra;
    }
  }
  const float inverse = usable ? 127.0F / most : 0.0F;
  *scale = bad == 0.0F ? (usable ? most / 127.0F : 0.0F) : bad;
  if (apart) {
    const auto code = static_cast<std::int32_t>(detail::nearest(x[column] * inverse));  // below 2^21
    *outlier = {code - (code > 0 ? 127 : -127), static_cast<std::uint32_t>(column)};
  }
  for (std::size_t j = 0; j < columns; j += Sum) {
    Vec total = Vec::zero();  // integers below 2^24: exact
    for (std::size_t i = j; i < j + Sum; i += Vec::lanes) {
      const Vec scaled = round(mul(Vec::load(x + i), Vec::broadcast(inverse)));
      const Vec q = max(min(scaled, Vec::broadcast(127.0F)), Vec::broadcast(-127.0F));
      store_bytes(q, codes + i);
      total = add(total, q);
    }
    *sums++ = static_cast<std::int32_t>(sum(total));
  }
}

template <std::size_t Scale, std::size_t Sum>
TRINE_INLINE void quantize_groups(const float* x, std::size_t columns, std::int8_t* codes, float* scale,
                                  std::int32_t* sums, Outlier* outlier) {
  for (std::size_t i = 0; i < columns; i += Scale) {
    const std::size_t count = columns - i < Scale ? columns - i : Scale;
    quantize_group<Scale, Sum>(x + i, count, codes + i, scale + i / Scale, sums + i / Sum,
                               outlier == nullptr ? nullptr : outlier + i / Scale);
  }
}

/// See kernels/quantize_rows.hpp.
inline void quantize_row(const float* x, std::size_t columns, bool fine, std::int8_t* codes, float* scale,
                         std::int32_t* sums, Outlier* outlier) noexcept {
  if (fine)
    return quantize_groups<kFineBlocks.scale_columns, kFineBlocks.sum_columns>(x, columns, codes, scale, sums, nullptr);
  quantize_groups<kPackedBlocks.scale_columns, kPackedBlocks.sum_columns>(x, columns, codes, scale, sums, outlier);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
