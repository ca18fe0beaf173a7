// SPDX-License-Identifier: Apache-2.0
// A cursor into a checkpoint: layers fetch their own tensors by name and demand a shape at the fetch.
#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/notes.hpp>
#include <trine/core/shape.hpp>
#include <trine/core/tensor.hpp>
#include <trine/quant/mxfp4.hpp>
#include <trine/quant/packed.hpp>
#include <trine/quant/weight_matrix.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// What a model has fetched from a source so far; finds what nobody asked for. Lives during a load only, as `notes`
/// does, which collects what is ignored and says what else may be.
class WeightReader {
 public:
  /// Rows and columns of FP8 codes that share a scale.
  struct CodeBlock {
    std::size_t rows = 128;
    std::size_t columns = 128;
  };

  explicit WeightReader(const WeightSource& source) : WeightReader(source, CodeBlock()) {}
  WeightReader(const WeightSource& source, const CodeBlock& fp8_block, Notes* notes = nullptr)
      : source_(source), fp8_block_(fp8_block), notes_(notes == nullptr ? own_notes_ : *notes) {}
  WeightReader(const WeightReader&) = delete;
  WeightReader& operator=(const WeightReader&) = delete;

  [[nodiscard]] const CodeBlock& fp8_block() const noexcept { return fp8_block_; }

  /// The tensor of that name and shape. Throws WeightError when it is missing or has another shape.
  const StoredTensor& fetch(const std::string& name, std::span<const std::size_t> shape) {
    const StoredTensor* tensor = source_.request(name, shape);
    if (tensor == nullptr) throw WeightError("no tensor named " + in_quotes(name) + " (" + source_.place() + ")");
    if (!std::ranges::equal(tensor->shape, shape)) {
      throw WeightError(name + ": expected shape " + to_string(shape) + ", found " + to_string(tensor->shape) + " (" +
                        source_.place_of(name) + ")");
    }
    fetched_.insert(name);
    return *tensor;
  }

  [[nodiscard]] bool contains(const std::string& name) const { return source_.find(name) != nullptr; }
  [[nodiscard]] bool contains_packed(const std::string& name) const {
    const StoredTensor* tensor = source_.find(name);
    return tensor != nullptr && is_packed(tensor->dtype);
  }

  /// Tensors whose names match `pattern`, `*` and `?` as in a shell, are not missed when nobody fetches them. If there
  /// are any, `reason` is noted.
  void ignore(std::string pattern, std::string reason) {
    ignored_.push_back({std::move(pattern), std::move(reason), false});
  }

  /// Throws WeightError "name: problem (file)".
  [[noreturn]] void fail(const std::string& name, const std::string& problem) const {
    throw WeightError(name + ": " + problem + " (" + source_.place_of(name) + ")");
  }

  /// Throws WeightError naming the first tensor that the model did not use and that may not be ignored. Empty ones hold
  /// nothing that could be missed: transformers writes them for layers of width 0.
  void require_all_fetched() {
    for (const std::string_view name : source_.names()) {
      if (fetched_.contains(name) || source_.find(name)->bytes.empty() || may_be_ignored(name)) continue;
      throw WeightError("unexpected tensor " + in_quotes(name) + ": the configuration has no place for it (" +
                        source_.place_of(name) + "); allow_unknown (--allow-unknown " + escaped(name) + ") ignores it");
    }
  }

 private:
  struct Ignored {
    std::string pattern;
    std::string reason;
    bool is_noted;
  };

  [[nodiscard]] bool may_be_ignored(std::string_view name) {
    const auto found =
        std::ranges::find_if(ignored_, [&](const Ignored& ignored) { return matches_glob(ignored.pattern, name); });
    if (found == ignored_.end()) return notes_.allows(name);
    if (!std::exchange(found->is_noted, true)) notes_.add(found->pattern, found->reason);
    return true;
  }

  const WeightSource& source_;
  CodeBlock fp8_block_;
  Notes own_notes_;  // where the caller does not collect them
  Notes& notes_;
  std::set<std::string, std::less<>> fetched_;
  std::vector<Ignored> ignored_;
};

/// `WeightScope(reader) / "layers.3" / "mlp"` reads names that start with "layers.3.mlp.".
class WeightScope {
 public:
  explicit WeightScope(WeightReader& reader, std::string prefix = {}) : reader_(&reader), prefix_(std::move(prefix)) {}

  [[nodiscard]] WeightScope operator/(std::string_view part) const { return WeightScope(*reader_, name_of(part)); }
  [[nodiscard]] WeightScope operator/(std::size_t index) const { return *this / std::to_string(index); }

  [[nodiscard]] bool contains(std::string_view name) const { return reader_->contains(name_of(name)); }
  /// Is there such a tensor, and in panels?
  [[nodiscard]] bool contains_packed(std::string_view name) const { return reader_->contains_packed(name_of(name)); }

  /// Tensors below "NAME." are not missed when nobody fetches them; `reason` is noted if there are any.
  void ignore(std::string_view name, std::string reason) const {
    reader_->ignore(name_of(name) + ".*", std::move(reason));
  }

  /// The same for names of the whole checkpoint that match the pattern.
  void ignore(const IgnoredNames& names) const { reader_->ignore(std::string(names.pattern), std::string(names.text)); }

  /// Throws WeightError "NAME: problem (file)".
  [[noreturn]] void fail(std::string_view name, const std::string& problem) const {
    reader_->fail(name_of(name), problem);
  }

  /// A matrix as it is stored, borrowed from the source. FP8 codes come with the scales of their blocks,
  /// "NAME_scale_inv" [blocks of rows, blocks of columns], by which they are multiplied. Throws WeightError.
  [[nodiscard]] WeightMatrix matrix(std::string_view name, std::size_t rows, std::size_t columns) const {
    const StoredTensor& tensor = fetch(name, {rows, columns});
    WeightMatrix matrix = matrix_of(tensor, rows, columns);
    if (is_packed(tensor.dtype)) return matrix;
    if (tensor.dtype == DType::f8_e4m3) {
      const WeightReader::CodeBlock& block = reader_->fp8_block();
      const std::size_t across = (columns + block.columns - 1) / block.columns;
      const std::string scale = std::string(name) + "_scale_inv";
      const StoredTensor& scales = fetch(scale, {(rows + block.rows - 1) / block.rows, across});
      require_plain(scale, scales);
      matrix.scales = {scales.bytes.data(), scales.dtype, across, block.rows, block.columns};
    } else {
      require_plain(name, tensor);
    }
    return matrix;
  }

  /// A tensor [count, rows, columns] of plain numbers, or packed, as one matrix, [count * rows, columns]. Throws
  /// WeightError.
  [[nodiscard]] WeightMatrix stack(std::string_view name, std::size_t count, std::size_t rows,
                                   std::size_t columns) const {
    const StoredTensor& tensor = fetch(name, {count, rows, columns});
    if (!is_packed(tensor.dtype)) require_plain(name, tensor);
    return matrix_of(tensor, count * rows, columns);
  }

  /// The same for MXFP4: "NAME_blocks" [count, rows, columns / 32, 16] bytes of two codes, "NAME_scales" [count, rows,
  /// columns / 32] exponents. Throws WeightError.
  [[nodiscard]] WeightMatrix mxfp4_stack(std::string_view name, std::size_t count, std::size_t rows,
                                         std::size_t columns) const {
    const std::string blocks = std::string(name) + "_blocks";
    const std::string exponents = std::string(name) + "_scales";
    const std::size_t groups = columns / kMxfp4Group;
    if (columns % kMxfp4Group != 0)
      reader_->fail(name_of(blocks), "expected a multiple of 32 columns, found " + std::to_string(columns));
    const StoredTensor& codes = fetch(blocks, {count, rows, groups, kMxfp4Group / 2});
    const StoredTensor& scales = fetch(exponents, {count, rows, groups});
    for (const auto& [part, tensor] : {std::pair(&blocks, &codes), std::pair(&exponents, &scales)}) {
      if (tensor->dtype != DType::u8)
        reader_->fail(name_of(*part), "expected u8, found " + std::string(to_string(tensor->dtype)));
    }
    WeightMatrix matrix{codes.bytes.data(), DType::u8, count * rows, columns};
    matrix.scales = {scales.bytes.data(), DType::u8, groups, 1, kMxfp4Group};
    return matrix;
  }

  /// A vector widened to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 1> read_f32(std::string_view name, std::size_t length) const {
    return widen<1>(name, {length});
  }
  /// A small matrix widened to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 2> read_f32(std::string_view name, std::size_t rows, std::size_t columns) const {
    return widen<2>(name, {rows, columns});
  }

  /// The same for a tensor that may be absent.
  [[nodiscard]] std::optional<Tensor<float, 1>> read_f32_if_present(std::string_view name, std::size_t length) const {
    if (!contains(name)) return std::nullopt;
    return read_f32(name, length);
  }

 private:
  [[nodiscard]] static WeightMatrix matrix_of(const StoredTensor& tensor, std::size_t rows, std::size_t columns) {
    WeightMatrix matrix{tensor.bytes.data(), tensor.dtype, rows, columns};
    if (is_packed(tensor.dtype)) matrix.stride = panel_bytes(tensor.dtype, columns);
    return matrix;
  }
  [[nodiscard]] std::string name_of(std::string_view part) const {
    return prefix_.empty() ? std::string(part) : prefix_ + "." + std::string(part);
  }
  template <std::size_t Rank>
  [[nodiscard]] Tensor<float, Rank> widen(std::string_view name, const std::array<std::size_t, Rank>& shape) const {
    const StoredTensor& tensor = reader_->fetch(name_of(name), shape);
    require_plain(name, tensor);
    Tensor<float, Rank> result(shape);
    visit_dtype(tensor.dtype, [&]<class T>(const T*) {
      const T* elements = reinterpret_cast<const T*>(tensor.bytes.data());
      for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = static_cast<float>(elements[i]);
    });
    return result;
  }
  void require_plain(std::string_view name, const StoredTensor& tensor) const {
    if (!is_plain_float(tensor.dtype))
      reader_->fail(name_of(name), "expected f32, bf16 or f16, found " + std::string(to_string(tensor.dtype)));
  }
  const StoredTensor& fetch(std::string_view name, std::initializer_list<std::size_t> shape) const {
    return reader_->fetch(name_of(name), std::span(shape.begin(), shape.size()));
  }

  WeightReader* reader_;
  std::string prefix_;
};

}  // namespace trine::inline TRINE_ABI
