// SPDX-License-Identifier: Apache-2.0
// Quantises rows of activations to int8, written once and included once per instruction set
// (kernels/quantize_rows.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// One block of `count` <= kScaleBlock values; outputs and sums are padded to the end of its last sub-block.
TRINE_INLINE void quantize_group(const float* x, std::size_t count, std::int8_t* codes, float* scale,
                                 std::int32_t* sums) {
  alignas(64) float padded[kScaleBlock] = {};  // a whole block, even at the end of a row
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
  for (std::size_t j = 0; j < columns; j += kSubBlock) {
    Vec total = Vec::zero();  // integers below 2^24: exact
    for (std::size_t i = j; i < j + kSubBlock; i += Vec::lanes) {
      const Vec scaled = round(mul(Vec::load(x + i), inverse));
      const Vec q = max(min(scaled, Vec::broadcast(127.0F)), Vec::broadcast(-127.0F));
      store_bytes(q, codes + i);
      total = add(total, q);
    }
    *sums++ = static_cast<std::int32_t>(sum(total));
  }
}

/// See kernels/quantize_rows.hpp.
inline void quantize_row(const float* x, std::size_t columns, std::int8_t* codes, float* scale,
                         std::int32_t* sums) noexcept {
  for (std::size_t i = 0; i < columns; i += kScaleBlock) {
    const std::size_t count = columns - i < kScaleBlock ? columns - i : kScaleBlock;
    quantize_group(x + i, count, codes + i, scale + i / kScaleBlock, sums + i / kSubBlock);
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
