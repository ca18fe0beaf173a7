// SPDX-License-Identifier: Apache-2.0
// NVFP4 in checkpoints: four-bit floats (E2M1) in rows, two in a byte, the first in the lower bits, with an FP8 scale
// (E4M3) for 16 columns of a row and a scale of the whole tensor, which multiplies the others in files of NVIDIA's
// ModelOpt and divides them in those of compressed-tensors. The scale is rounded to f32, then its product with a value.
#pragma once

#include <cstddef>

#include <trine/quant/integer_groups.hpp>
#include <trine/quant/mxfp4.hpp>
#include <trine/quant/weight_format.hpp>

namespace trine::inline TRINE_ABI {

inline constexpr std::size_t kNvfp4Block = 16;

/// WeightFormat::decode.
inline void decode_nvfp4(const WeightMatrix& w, std::size_t row, std::size_t column, std::size_t count, float* out,
                         std::size_t out_step) noexcept {
  const BlockScales& scales = w.scales;
  const std::byte* codes = w.data + row * w.stride;
  const std::size_t step = w.step[1];
  detail::for_scale_runs(scales, column, step, count, [&](std::size_t k, std::size_t end, std::size_t block) {
    const float scale = scales.value(row * scales.stride + block) * scales.factor / scales.divisor;
    for (; k < end; ++k)
      out[k * out_step] = kFloat4E2M1Values[static_cast<std::size_t>(packed_code<4>(codes, column + k * step))] * scale;
  });
}

inline constexpr WeightFormat kNvfp4Format = {
    .dtype = block_format(46),
    .name = "nvfp4",
    .block_columns = kNvfp4Block,
    .column_multiple = kNvfp4Block,
    .row_bytes = [](std::size_t columns) noexcept { return columns / 2; },
    .decode = decode_nvfp4,
    .in_checkpoints = true,
    .has_separate_scales = true,
};

/// The format of four-bit floats whose scales are powers of two (MXFP4), or else FP8.
[[nodiscard]] constexpr const WeightFormat& four_bit_floats(bool powers_of_two) noexcept {
  return powers_of_two ? kMxfp4Format : kNvfp4Format;
}

}  // namespace trine::inline TRINE_ABI
