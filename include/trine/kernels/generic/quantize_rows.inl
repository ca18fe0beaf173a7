// SPDX-License-Identifier: Apache-2.0
// Quantises rows of activations to int8, written once and included once per instruction set
// (kernels/quantize_rows.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// One block of `count` <= Scale values, with a sum for every Sum of them; codes and sums are padded to the end of its
// last 32 columns.
template <std::size_t Scale, std::size_t Sum>
TRINE_INLINE void quantize_group(const float* x, std::size_t count, std::int8_t* codes, float* scale,
                                 std::int32_t* sums) {
  alignas(64) float padded[Scale] = {};  // a whole block, even at the end of a row
  const std::size_t columns = group_columns(0, count);
  if (count < columns) {
    for (std::size_t i = 0; i < count; ++i) padded[i] = x[i];
    x = padded;
  }
  Vec largest = Vec::zero();
  Vec poison = Vec::zero();  // x - x is NaN if x is not finite
  for (std::size_t i = 0; i < columns; i += Vec::lanes) {
    const Vec v = Vec::load(x + i);
    largest = max(largest, max(v, sub(Vec::zero(), v)));
    poison = add(poison, sub(v, v));
  }
  const float most = max_of(largest);
  const float bad = sum(poison);
  const bool usable = bad == 0.0F && most >= 1e-30F;  // below, 127 / most could overflow, and 0 is accurate enough
  *scale = bad == 0.0F ? (usable ? most / 127.0F : 0.0F) : bad;
  const Vec inverse = Vec::broadcast(usable ? 127.0F / most : 0.0F);
  for (std::size_t j = 0; j < columns; j += Sum) {
    Vec total = Vec::zero();  // integers below 2^24: exact
    for (std::size_t i = j; i < j + Sum; i += Vec::lanes) {
      const Vec scaled = round(mul(Vec::load(x + i), inverse));
      const Vec q = max(min(scaled, Vec::broadcast(127.0F)), Vec::broadcast(-127.0F));
      store_bytes(q, codes + i);
      total = add(total, q);
    }
    *sums++ = static_cast<std::int32_t>(sum(total));
  }
}

template <std::size_t Scale, std::size_t Sum>
TRINE_INLINE void quantize_groups(const float* x, std::size_t columns, std::int8_t* codes, float* scale,
                                  std::int32_t* sums) {
  for (std::size_t i = 0; i < columns; i += Scale) {
    const std::size_t count = columns - i < Scale ? columns - i : Scale;
    quantize_group<Scale, Sum>(x + i, count, codes + i, scale + i / Scale, sums + i / Sum);
  }
}

/// See kernels/quantize_rows.hpp.
inline void quantize_row(const float* x, std::size_t columns, bool fine, std::int8_t* codes, float* scale,
                         std::int32_t* sums) noexcept {
  if (fine) return quantize_groups<kFineBlocks.scale_columns, kFineBlocks.sum_columns>(x, columns, codes, scale, sums);
  quantize_groups<kPackedBlocks.scale_columns, kPackedBlocks.sum_columns>(x, columns, codes, scale, sums);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
