// SPDX-License-Identifier: Apache-2.0
// Converts a tensor from its stored type to another, some rows at a time.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/tensor.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/quant/quantization_error.hpp>
#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI {

/// How much errors of each column count: a list for every `rows` rows of a tensor, such as those of an expert.
struct RowImportance {
  std::span<const float> values = {};  ///< [tensor's rows / rows, columns], or empty: all equally
  std::size_t rows = 1;                ///< rows that share a list

  /// The list of a row; null if there is none.
  [[nodiscard]] const float* of(std::size_t row, std::size_t columns) const noexcept {
    return values.empty() ? nullptr : values.data() + row / rows * columns;
  }
};

/// Receives the bytes of a tensor in order; `done` is the completed share of the tensor, from 0 to 1.
using TensorSink = std::function<void(std::span<const std::byte> bytes, double done)>;

namespace detail {

// A thread processes a band of rows at a time, of this many elements unless rows are longer.
inline constexpr std::size_t kBandElements = std::size_t{1} << 18U;
inline constexpr std::size_t kBandRows = 16;

// Scratch memory of one thread: rows in f32, and the same rows decoded again after encoding.
struct ConvertScratch {
  std::vector<float> exact;
  std::vector<float> rounded;
};

// Stores rows [first, first + rows) of `from` as `to` at `out`.
inline QuantizationError convert_rows(const std::string& name, const WeightMatrix& from, std::size_t first,
                                      std::size_t rows, DType to, const RowImportance& importance, std::byte* out,
                                      ConvertScratch& scratch) {
  const std::size_t count = rows * from.columns;
  scratch.exact.resize(count);
  scratch.rounded.resize(count);
  float* exact = scratch.exact.data();
  float* rounded = scratch.rounded.data();
  kernels::decode(from, first, rows, 0, from.columns, exact, from.columns, 1);
  if (!std::all_of(exact, exact + count, [](float w) { return std::isfinite(w); }))
    throw WeightError(name + ": expected finite numbers, found another",
                      {.kind = ErrorKind::not_finite, .field = name});
  for (std::size_t r = 0; r < rows;) {  // the rows of one list at a time
    const std::size_t left = importance.values.empty() ? rows : importance.rows - (first + r) % importance.rows;
    const std::size_t count_here = std::min(rows - r, left);
    std::byte* at = out + *stored_bytes(to, std::array{r, from.columns});
    find_format(to)->encode(exact + r * from.columns, from.columns, count_here, from.columns,
                            importance.of(first + r, from.columns), at);
    r += count_here;
  }
  kernels::decode(stored_matrix(out, to, rows, from.columns), 0, rows, 0, from.columns, rounded, from.columns, 1);
  QuantizationError error;
  error.add(exact, rounded, count);
  return error;
}

}  // namespace detail

/// Passes `from`, converted to `to`, to `sink` and returns the error. Does not check the request: a row of blocks holds
/// consecutive rows, whichever matrix of a stack they belong to. Bits do not depend on the threads. Memory: a few
/// megabytes per thread, or 16 rows if those are larger. Throws WeightError for values that are not finite, or not
/// finite in the new type, CancelledError, and what `sink` throws.   importance: lists of a multiple of
/// WeightFormat::block_rows rows, or of all
[[nodiscard]] inline QuantizationError convert_tensor(const ExecutionContext& execution, const std::string& name,
                                                      const WeightMatrix& from, DType to, const TensorSink& sink,
                                                      const RowImportance& importance = {}) {
  const WeightFormat* format = find_format(to);
  if (format == nullptr || format->encode == nullptr)
    throw WeightError(name + ": expected a type that weights are converted to, found " + std::string(to_string(to)));
  const std::size_t least = std::lcm(format->block_rows, detail::kBandRows);
  const std::size_t band = least * std::max<std::size_t>(detail::kBandElements / (least * from.columns), 1);
  const std::size_t at_once = execution.num_workers() * 4;
  std::vector<detail::ConvertScratch> scratch(execution.num_workers());
  std::vector<std::vector<std::byte, CacheLineAllocator<std::byte>>> stored(at_once);
  std::vector<QuantizationError> errors(at_once);
  QuantizationError total;
  for (std::size_t begin = 0; begin < from.rows; begin += at_once * band) {
    execution.check_stop();
    const std::size_t bands = std::min(at_once, (from.rows - begin + band - 1) / band);
    parallel_for(execution, bands, [&](std::size_t i, std::size_t worker) {
      const std::size_t first = begin + i * band;
      const std::size_t rows = std::min(band, from.rows - first);
      stored[i].resize(*stored_bytes(to, std::array{rows, from.columns}));
      errors[i] = detail::convert_rows(name, from, first, rows, to, importance, stored[i].data(), scratch[worker]);
    });
    for (std::size_t i = 0; i < bands; ++i) {
      if (!std::isfinite(errors[i].squared_error))
        throw WeightError(
            name + ": expected numbers that " + std::string(to_string(to)) + " can hold, found a larger one",
            {.kind = ErrorKind::out_of_range, .field = name});
      total += errors[i];
      const std::size_t end = std::min(begin + (i + 1) * band, from.rows);
      sink(stored[i], static_cast<double>(end) / static_cast<double>(from.rows));
    }
  }
  return total;
}

/// Passes the bytes to `sink` unchanged. Throws CancelledError and what `sink` throws.
inline void copy_tensor(const ExecutionContext& execution, std::span<const std::byte> bytes, const TensorSink& sink) {
  constexpr std::size_t kPart = std::size_t{16} << 20U;
  for (std::size_t begin = 0; begin < bytes.size(); begin += kPart) {
    execution.check_stop();
    const std::size_t count = std::min(kPart, bytes.size() - begin);
    sink(bytes.subspan(begin, count), static_cast<double>(begin + count) / static_cast<double>(bytes.size()));
  }
}

}  // namespace trine::inline TRINE_ABI
