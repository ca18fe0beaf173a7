// SPDX-License-Identifier: Apache-2.0
// Weights that come from memory at every use, as those of a model do: copies of a random matrix, one after the other.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/core/tensor.hpp>
#include <trine/platform/anonymous_memory.hpp>
#include <trine/quant/weight_formats.hpp>

namespace trine::bench {

/// Uniform in [-1, 1).
[[nodiscard]] inline std::vector<float> random_values(std::size_t count, std::uint64_t seed = 1) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(2.0 * CounterRandom{seed}.uniform(i) - 1.0);
  return values;
}

/// Matrices [rows, columns] in any format of the table: together twice the last cache, 128 MiB at least and 1
/// GiB at most. FP8 has a scale for 128 x 128 codes, MXFP4 for 32. Of each only 16 rows are random, the others
/// repeat them.
class RotatedWeights {
 public:
  RotatedWeights(DType dtype, std::size_t rows, std::size_t columns) {
    WeightMatrix matrix = stored_matrix(nullptr, dtype, rows, columns);
    if (dtype == DType::f8_e4m3) matrix.scales = {nullptr, DType::f32, fp8_blocks(columns), kFp8Block, kFp8Block};
    if (dtype == kMxfp4) matrix.scales = {nullptr, DType::u8, columns / kMxfp4Block, 1, kMxfp4Block};
    const std::vector<std::byte> block = random_rows(dtype, columns);
    const std::vector<std::byte> scales = some_scales(dtype, rows, columns);
    const std::size_t code_bytes = bytes_of(dtype, rows, columns);
    const std::size_t distance = whole_lines(code_bytes) + whole_lines(scales.size());
    bytes_ = code_bytes + scales.size();
    matrices_.resize((memory_bytes() + distance - 1) / distance, matrix);
    memory_ = AnonymousMemory(matrices_.size() * distance);
    std::byte* next = memory_.data();
    for (WeightMatrix& one : matrices_) {
      for (std::size_t done = 0; done < code_bytes; done += block.size())
        std::memcpy(next + done, block.data(), std::min(block.size(), code_bytes - done));
      one.data = next;
      one.scales.data = next + whole_lines(code_bytes);
      std::copy(scales.begin(), scales.end(), next + whole_lines(code_bytes));
      next += distance;
    }
  }

  /// Of one matrix, scales and all.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// The one that has not been used for the longest time.
  [[nodiscard]] const WeightMatrix& next() noexcept {
    turn_ = (turn_ + 1) % matrices_.size();
    return matrices_[turn_];
  }

 private:
  static constexpr std::size_t kFp8Block = 128;

  [[nodiscard]] static std::size_t memory_bytes() {
    const auto cache = static_cast<std::size_t>(std::max(::sysconf(_SC_LEVEL3_CACHE_SIZE), 0L));
    return std::clamp(2 * cache, std::size_t{128} << 20U, std::size_t{1} << 30U);
  }
  [[nodiscard]] static std::size_t fp8_blocks(std::size_t extent) { return (extent + kFp8Block - 1) / kFp8Block; }
  [[nodiscard]] static std::size_t whole_lines(std::size_t bytes) {
    return (bytes + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
  [[nodiscard]] static std::size_t bytes_of(DType dtype, std::size_t rows, std::size_t columns) {
    return static_cast<std::size_t>(stored_bytes(dtype, std::array{rows, columns}).value());
  }

  [[nodiscard]] static std::vector<std::byte> random_rows(DType dtype, std::size_t columns) {
    const std::vector<float> values = random_values(kPanelRows * columns);
    std::vector<std::byte> rows(bytes_of(dtype, kPanelRows, columns));
    if (const auto encode = find_format(dtype)->encode; encode != nullptr) {
      encode(values.data(), columns, kPanelRows, columns, nullptr, rows.data());
    } else {
      // No NaN of FP8, and no number of binary16 that is not finite.
      for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::byte>(splitmix64(i) % 124);
    }
    return rows;
  }
  [[nodiscard]] static std::vector<std::byte> some_scales(DType dtype, std::size_t rows, std::size_t columns) {
    if (dtype == kMxfp4) return std::vector<std::byte>(rows * columns / kMxfp4Block, std::byte{124});
    if (dtype != DType::f8_e4m3) return {};
    const std::vector<float> scales(fp8_blocks(rows) * fp8_blocks(columns), 0.01F);
    const auto bytes = std::as_bytes(std::span(scales));
    return {bytes.begin(), bytes.end()};
  }

  std::size_t bytes_ = 0;
  std::size_t turn_ = 0;
  AnonymousMemory memory_;
  std::vector<WeightMatrix> matrices_;
};

}  // namespace trine::bench
