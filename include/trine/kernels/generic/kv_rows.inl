// SPDX-License-Identifier: Apache-2.0
// Rows of a KV cache as f32, written once and included once per instruction set (kernels/kv_rows.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

inline void widen(const bfloat16* x, std::size_t ld, std::size_t rows, std::size_t columns, float* out,
                  std::size_t ldo) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    std::size_t i = 0;
    for (; i + Vec::lanes <= columns; i += Vec::lanes) Vec::load(x + r * ld + i).store(out + r * ldo + i);
    for (; i < columns; ++i) out[r * ldo + i] = static_cast<float>(x[r * ld + i]);
  }
}

/// One scale per kKvScaleBlock elements of a row.
inline void load_rows(const std::int8_t* x, std::size_t ld, const float* scales, std::size_t ld_scales,
                      std::size_t rows, std::size_t width, float* out, std::size_t ldo) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t begin = 0; begin < width; begin += kKvScaleBlock) {
      const std::size_t end = width - begin < kKvScaleBlock ? width : begin + kKvScaleBlock;
      const float scale = scales[r * ld_scales + begin / kKvScaleBlock];
      std::size_t i = begin;
      for (; i + Ints::lanes <= end; i += Ints::lanes)
        mul(to_float(Ints::load(x + r * ld + i)), Vec::broadcast(scale)).store(out + r * ldo + i);
      for (; i < end; ++i) out[r * ldo + i] = static_cast<float>(x[r * ld + i]) * scale;
    }
  }
}

/// One scale per kKvScaleBlock elements of a column.
inline void load_columns(const std::int8_t* x, std::size_t ld, const float* scales, std::size_t ld_scales,
                         std::size_t columns, std::size_t width, float* out, std::size_t ldo) noexcept {
  for (std::size_t i = 0; i < width; ++i) {
    const float* scale = scales + i / kKvScaleBlock * ld_scales;
    std::size_t c = 0;
    for (; c + Ints::lanes <= columns; c += Ints::lanes)
      mul(to_float(Ints::load(x + i * ld + c)), Vec::load(scale + c)).store(out + i * ldo + c);
    for (; c < columns; ++c) out[i * ldo + c] = static_cast<float>(x[i * ld + c]) * scale[c];
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
