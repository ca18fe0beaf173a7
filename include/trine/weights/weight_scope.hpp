// SPDX-License-Identifier: Apache-2.0
// A cursor into a checkpoint: layers fetch their own tensors by name and demand a shape at the fetch.
#pragma once

#include <cstring>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <trine/core/any_view.hpp>
#include <trine/core/shape.hpp>
#include <trine/core/tensor.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// What a model has fetched from a source so far; finds what nobody asked for. Lives during a load only.
class WeightReader {
 public:
  explicit WeightReader(const WeightSource& source) : source_(source) {}

  /// The tensor of that name and shape. Throws WeightError when it is missing or has another shape.
  const StoredTensor& fetch(const std::string& name, std::span<const std::size_t> shape) {
    const StoredTensor* tensor = source_.find(name);
    if (tensor == nullptr) throw WeightError("no tensor named " + in_quotes(name) + " (" + source_.place() + ")");
    if (!std::ranges::equal(tensor->shape, shape)) {
      throw WeightError(name + ": expected shape " + to_string(shape) + ", found " + to_string(tensor->shape) + " (" +
                        source_.place() + ")");
    }
    fetched_.insert(name);
    return *tensor;
  }

  [[nodiscard]] bool contains(const std::string& name) const { return source_.find(name) != nullptr; }

  /// Throws WeightError naming the first tensor that the model did not use.
  void require_all_fetched() const {
    for (const std::string_view name : source_.names()) {
      if (!fetched_.contains(name))
        throw WeightError("unexpected tensor " + in_quotes(name) + ": the configuration has no place for it (" +
                          source_.place() + ")");
    }
  }

 private:
  const WeightSource& source_;
  std::set<std::string, std::less<>> fetched_;
};

/// `WeightScope(reader) / "layers.3" / "mlp"` reads names that start with "layers.3.mlp.".
class WeightScope {
 public:
  explicit WeightScope(WeightReader& reader, std::string prefix = {}) : reader_(&reader), prefix_(std::move(prefix)) {}

  [[nodiscard]] WeightScope operator/(std::string_view part) const { return WeightScope(*reader_, name_of(part)); }
  [[nodiscard]] WeightScope operator/(std::size_t index) const { return *this / std::to_string(index); }

  [[nodiscard]] bool contains(std::string_view name) const { return reader_->contains(name_of(name)); }

  /// A matrix as it is stored, borrowed from the source. Throws WeightError.
  [[nodiscard]] AnyMatrix matrix(std::string_view name, std::size_t rows, std::size_t columns) const {
    const StoredTensor& tensor = fetch(name, {rows, columns});
    return {tensor.bytes.data(), tensor.dtype, rows, columns};
  }

  /// A vector widened to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 1> read_f32(std::string_view name, std::size_t length) const {
    const StoredTensor& tensor = fetch(name, {length});
    Tensor<float, 1> result({length});
    visit_dtype(tensor.dtype, [&]<class T>(const T*) {
      const T* elements = reinterpret_cast<const T*>(tensor.bytes.data());
      for (std::size_t i = 0; i < length; ++i) result.view()[i] = static_cast<float>(elements[i]);
    });
    return result;
  }

  /// The same for a tensor that may be absent.
  [[nodiscard]] std::optional<Tensor<float, 1>> read_f32_if_present(std::string_view name, std::size_t length) const {
    if (!contains(name)) return std::nullopt;
    return read_f32(name, length);
  }

 private:
  [[nodiscard]] std::string name_of(std::string_view part) const {
    return prefix_.empty() ? std::string(part) : prefix_ + "." + std::string(part);
  }
  const StoredTensor& fetch(std::string_view name, std::initializer_list<std::size_t> shape) const {
    return reader_->fetch(name_of(name), std::span(shape.begin(), shape.size()));
  }

  WeightReader* reader_;
  std::string prefix_;
};

}  // namespace trine::inline TRINE_ABI
