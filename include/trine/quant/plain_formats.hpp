// SPDX-License-Identifier: Apache-2.0
// Plain elements in row-major order: f32, bf16 and f16.
#pragma once

#include <cstddef>

#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

template <class T>
void decode_plain(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                  std::size_t out_step) noexcept {
  const T* elements = reinterpret_cast<const T*>(w.data) + row * w.stride + column;
  for (std::size_t k = 0; k < count; ++k) out[k * out_step] = static_cast<float>(elements[k * w.step[1]]);
}

template <class T>
void encode_plain(const float* w, std::size_t ldw, std::size_t rows, std::size_t columns, const float*,
                  std::byte* out) noexcept {
  T* stored = reinterpret_cast<T*>(out);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) stored[r * columns + c] = static_cast<T>(w[r * ldw + c]);
}

template <class T>
[[nodiscard]] constexpr WeightFormat plain_format(DType dtype, int ggml_type) noexcept {
  return {.dtype = dtype,
          .name = element_name(dtype),
          .alignment = alignof(T),
          .row_bytes = [](std::size_t columns) noexcept { return columns * sizeof(T); },
          .decode = decode_plain<T>,
          .encode = encode_plain<T>,
          .in_checkpoints = true,
          .in_native_file = true,
          .is_conversion = true,
          .ggml_type = ggml_type};
}

}  // namespace detail

inline constexpr WeightFormat kF32Format = detail::plain_format<float>(DType::f32, 0);
inline constexpr WeightFormat kBf16Format = detail::plain_format<bfloat16>(DType::bf16, 30);
inline constexpr WeightFormat kF16Format = detail::plain_format<float16>(DType::f16, 1);

}  // namespace trine::inline TRINE_ABI
