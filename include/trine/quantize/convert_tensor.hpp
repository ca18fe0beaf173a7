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

  // Rows [first, first + rows) of `from` to `exact`.
  void read(const std::string& name, const WeightMatrix& from, std::size_t first, std::size_t rows) {
    const std::size_t count = rows * from.columns;
    exact.resize(count);
    rounded.resize(count);
    kernels::decode(from, first, rows, 0, from.columns, exact.data(), from.columns, 1);
    if (!std::ranges::all_of(exact, [](float w) { return std::isfinite(w); }))
      throw WeightError(name + ": expected finite numbers, found another",
                        {.kind = ErrorKind::not_finite, .field = name});
  }
};

// Stores the rows of `scratch`, [first, first + rows) of `from`, as `to` at `out`, and what they become in `rounded`.
inline void encode_rows(const WeightMatrix& from, std::size_t first, std::size_t rows, DType to,
                        const RowImportance& importance, std::byte* out, ConvertScratch& scratch) {
  const float* exact = scratch.exact.data();
  for (std::size_t r = 0; r < rows;) {  // the rows of one list at a time
    const std::size_t left = importance.values.empty() ? rows : importance.rows - (first + r) % importance.rows;
    const std::size_t count_here = std::min(rows - r, left);
    std::byte* at = out + *stored_bytes(to, std::array{r, from.columns});
    find_format(to)->encode(exact + r * from.columns, from.columns, count_here, from.columns,
                            importance.of(first + r, from.columns), at);
    r += count_here;
  }
  kernels::decode(stored_matrix(out, to, rows, from.columns), 0, rows, 0, from.columns, scratch.rounded.data(),
                  from.columns, 1);
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
      scratch[worker].read(name, from, first, rows);
      detail::encode_rows(from, first, rows, to, importance, stored[i].data(), scratch[worker]);
      errors[i] = {};
      errors[i].add(scratch[worker].exact.data(), scratch[worker].rounded.data(), rows * from.columns);
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

/// What conversion to each of `types` would do to the outputs of the matrices: an estimate of
///   sum over rows r and columns j of  squares_rj (w'_rj - w_rj)^2
/// from up to `kSampledBands` bands of 16 rows of each list of `importance`, evenly spread. Without `squares`, all are
/// 1. Throws WeightError for values that are not finite, CancelledError.   types: with WeightFormat::encode
[[nodiscard]] inline std::vector<double> sample_output_errors(const ExecutionContext& execution,
                                                              const std::string& name, const WeightMatrix& from,
                                                              std::span<const DType> types,
                                                              const RowImportance& importance,
                                                              const RowImportance& squares) {
  constexpr std::size_t kSampledBands = 8;
  const std::size_t bands = (from.rows + detail::kBandRows - 1) / detail::kBandRows;
  const std::size_t lists = importance.values.empty() ? 1 : from.rows / importance.rows;
  const std::size_t sampled = std::min(bands, kSampledBands * lists);
  std::vector<detail::ConvertScratch> scratch(execution.num_workers());
  std::vector<double> errors(sampled * types.size());
  std::vector<std::size_t> rows_of(sampled);
  execution.check_stop();
  parallel_for(execution, sampled, [&](std::size_t i, std::size_t worker) {
    detail::ConvertScratch& rows = scratch[worker];
    const std::size_t first = (2 * i + 1) * bands / (2 * sampled) * detail::kBandRows;
    const std::size_t count = std::min(detail::kBandRows, from.rows - first);
    rows_of[i] = count;
    rows.read(name, from, first, count);
    std::vector<std::byte, CacheLineAllocator<std::byte>> stored;
    for (std::size_t t = 0; t < types.size(); ++t) {
      stored.resize(*stored_bytes(types[t], std::array{count, from.columns}));
      detail::encode_rows(from, first, count, types[t], importance, stored.data(), rows);
      double sum = 0.0;
      for (std::size_t r = 0; r < count; ++r) {
        const float* weight = squares.of(first + r, from.columns);
        for (std::size_t j = 0; j < from.columns; ++j) {
          const double error = static_cast<double>(rows.rounded[r * from.columns + j]) -
                               static_cast<double>(rows.exact[r * from.columns + j]);
          sum += (weight == nullptr ? 1.0 : static_cast<double>(weight[j])) * error * error;
        }
      }
      errors[i * types.size() + t] = sum;
    }
  });
  const auto seen = static_cast<double>(std::accumulate(rows_of.begin(), rows_of.end(), std::size_t{0}));
  std::vector<double> total(types.size());
  for (std::size_t i = 0; i < errors.size(); ++i) total[i % types.size()] += errors[i];
  for (double& error : total) error *= static_cast<double>(from.rows) / seen;
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
