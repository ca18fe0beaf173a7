// SPDX-License-Identifier: Apache-2.0
// Quantises rows of activations to int8, written once and included once per instruction set
// (kernels/quantize_rows.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// The two largest magnitudes of a block, equal ones included; NaN if a value is not finite.
struct TwoLargest {
  float most = 0.0F;
  float second = 0.0F;
  TRINE_INLINE void add(float a) {
    second = second > a ? second : (most < a ? most : a);
    most = most > a ? most : a;
  }
};
TRINE_INLINE TwoLargest two_largest(const float* x, std::size_t columns, float& bad) {
  Vec most = Vec::zero();
  Vec second = Vec::zero();
  Vec poison = Vec::zero();  // x - x is NaN if x is not finite
  for (std::size_t i = 0; i < columns; i += Vec::lanes) {
    const Vec v = Vec::load(x + i);
    const Vec size = max(v, sub(Vec::zero(), v));
    second = max(second, min(most, size));
    most = max(most, size);
    poison = add(poison, sub(v, v));
  }
  bad = sum(poison);
  alignas(64) float of_lane[2][Vec::lanes];
  most.store(of_lane[0]);
  second.store(of_lane[1]);
  TwoLargest result;
  for (std::size_t l = 0; l < Vec::lanes; ++l) result.add(of_lane[0][l]);
  for (std::size_t l = 0; l < Vec::lanes; ++l)
    result.second = result.second > of_lane[1][l] ? result.second : of_lane[1][l];
  return result;
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
  float bad = 0.0F;
  const TwoLargest largest = two_largest(x, columns, bad);
  float most = largest.most;
  const bool usable = bad == 0.0F && most >= 1e-30F;  // below, 127 / most could overflow, and 0 is accurate enough
  const bool apart = outlier != nullptr && usable && most > kOutlierRatio * largest.second;
  std::size_t column = 0;
  if (apart) {
    while (x[column] != most && x[column] != -most) ++column;
    constexpr float kMostExtra = 1 << 14;  // times 127
    most = largest.second * kMostExtra > most ? largest.second : most / kMostExtra;
  }
  if (outlier != nullptr) *outlier = {0, 0};
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
