// SPDX-License-Identifier: Apache-2.0
// Weights of the true size in memory that cost little to make: one random block of rows for each width, repeated.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/core/shape.hpp>
#include <trine/platform/anonymous_memory.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/weight_source.hpp>

#include "program/shapes.hpp"

namespace trine::bench {

/// Uniform in +-sqrt(3 / columns): a product keeps the mean square of its input. Norms are ones. Tensors begin at
/// different rows of their block, so that experts and layers differ.
class RandomWeights : public TensorMap {
 public:
  using Progress = std::function<void(std::size_t done_bytes)>;

  /// Bytes that they will take. type: f32, bf16, bf16_panels, or one of the packed types
  [[nodiscard]] static std::size_t bytes_of(std::span<const TensorSpec> specs, DType type) {
    std::size_t total = 0;
    for (const TensorSpec& spec : specs) total += aligned_bytes(spec, type);
    return total;
  }

  /// Fills memory with `threads` threads; calls `progress` from one of them at a time. Throws std::bad_alloc.
  RandomWeights(std::span<const TensorSpec> specs, DType type, std::size_t threads, const Progress& progress)
      : memory_(bytes_of(specs, type)) {
    std::byte* next = memory_.data();
    for (const TensorSpec& spec : specs) {
      const DType dtype = dtype_of(spec, type);
      tensors_.emplace(spec.name, StoredTensor{dtype, spec.shape, {next, bytes_of(spec, type)}});
      if (spec.shape.size() == 2) reserve_block(dtype, spec.shape[0], spec.shape[1]);
      next += aligned_bytes(spec, type);
    }
    ThreadPool pool(threads);
    const ExecutionContext execution{.num_threads = threads, .executor = &pool};
    make_blocks(execution);
    std::atomic<std::size_t> done{0};
    parallel_for(execution, specs.size(), [&](std::size_t i, std::size_t worker) {
      fill(specs[i]);
      const std::size_t sum = done += tensors_.find(specs[i].name)->second.bytes.size();
      if (worker == 0) progress(sum);
    });
  }

  [[nodiscard]] std::string source_name() const override { return "random weights"; }

 private:
  static constexpr std::size_t kValuesOfBlock = std::size_t{1} << 20U;

  // What trine-quantize keeps in bf16 is bf16 here.
  [[nodiscard]] static DType dtype_of(const TensorSpec& spec, DType type) {
    return spec.kind != TensorSpec::Kind::matrix && is_packed(type) ? DType::bf16 : type;
  }
  [[nodiscard]] static std::size_t bytes_of(const TensorSpec& spec, DType type) {
    return static_cast<std::size_t>(stored_bytes(dtype_of(spec, type), spec.shape).value());
  }
  [[nodiscard]] static std::size_t aligned_bytes(const TensorSpec& spec, DType type) {
    return (bytes_of(spec, type) + kCacheLineBytes - 1) / kCacheLineBytes * kCacheLineBytes;
  }
  // Rows, packed in panels of 16, and their bytes.
  [[nodiscard]] static std::size_t panel_size(DType dtype, std::size_t columns) {
    return is_packed(dtype) ? panel_bytes(dtype, columns) : kPanelRows * columns * size_bytes(dtype);
  }

  // As many panels as the largest matrix of that width has, up to about a million numbers.
  void reserve_block(DType dtype, std::size_t rows, std::size_t columns) {
    const std::size_t most = std::max<std::size_t>(kValuesOfBlock / (kPanelRows * columns), 1);
    const std::size_t panels = std::min((rows + kPanelRows - 1) / kPanelRows, most);
    std::vector<std::byte>& block = blocks_[{dtype, columns}];
    block.resize(std::max(block.size(), panels * panel_size(dtype, columns)));
  }
  void make_blocks(const ExecutionContext& execution) {
    for (auto& [key, block] : blocks_) {
      const auto [dtype, columns] = key;
      const std::size_t size = panel_size(dtype, columns);
      parallel_for(execution, block.size() / size,
                   [=, dtype = dtype, columns = columns, to = block.data()](std::size_t panel) {
                     make_panel(dtype, columns, panel, to + panel * size);
                   });
    }
  }
  static void make_panel(DType dtype, std::size_t columns, std::size_t panel, std::byte* out) {
    const CounterRandom random{columns};
    const double bound = std::sqrt(3.0 / static_cast<double>(columns));
    std::vector<float> values(kPanelRows * columns);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>((2.0 * random.uniform(panel * values.size() + i) - 1.0) * bound);
    if (is_packed(dtype)) return pack(dtype, values.data(), columns, kPanelRows, columns, out);
    store(dtype, values, out);
  }
  static void store(DType dtype, std::span<const float> values, std::byte* out) {
    visit_dtype(dtype, [&]<class T>(const T*) {
      for (std::size_t i = 0; i < values.size(); ++i) {
        const T value(values[i]);
        std::memcpy(out + i * sizeof(T), &value, sizeof(T));
      }
    });
  }

  void fill(const TensorSpec& spec) {
    const StoredTensor& tensor = tensors_.find(spec.name)->second;
    std::byte* out = memory_.data() + (tensor.bytes.data() - memory_.data());
    if (spec.kind == TensorSpec::Kind::norm) {
      const std::size_t count = checked_product(spec.shape).value();
      return store(tensor.dtype, std::vector<float>(count, 1.0F), out);
    }
    const std::size_t size = panel_size(tensor.dtype, spec.shape[1]);
    const std::vector<std::byte>& block = blocks_.at({tensor.dtype, spec.shape[1]});
    std::size_t from = std::hash<std::string>()(spec.name) % (block.size() / size) * size;
    for (std::size_t done = 0; done < tensor.bytes.size();) {
      const std::size_t count = std::min(block.size() - from, tensor.bytes.size() - done);
      std::memcpy(out + done, block.data() + from, count);
      done += count;
      from = 0;
    }
  }

  AnonymousMemory memory_;
  std::map<std::pair<DType, std::size_t>, std::vector<std::byte>> blocks_;  // by type and columns
};

}  // namespace trine::bench
