// SPDX-License-Identifier: Apache-2.0
// A prefix of the names of a checkpoint: layers fetch their own tensors by name and require a shape.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/notes.hpp>
#include <trine/core/shape.hpp>
#include <trine/core/tensor.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/index_order.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/tensor_record.hpp>
#include <trine/weights/weight_source.hpp>
#include <trine/weights/weight_stack.hpp>

namespace trine::inline TRINE_ABI {

/// Records what a model has fetched from a source, with the roles, and finds unused tensors. Exists only during a load,
/// like `notes`, which collects what is ignored and knows what the caller allows.
class WeightReader {
 public:
  /// Rows and columns that share a scale, in formats whose block shape comes from the configuration.
  struct ScaleBlockShape {
    std::size_t rows = 128;     ///< of codes per scale
    std::size_t columns = 128;  ///< of codes per scale
  };

  /// Is told of each tensor when it is fetched for the first time. What it throws ends the fetch.
  using FetchCallback = std::function<void(const std::string& name, std::uint64_t bytes)>;

  /// Borrows `source`, whose block formats have blocks of 128 x 128.
  explicit WeightReader(const WeightSource& source) : WeightReader(source, ScaleBlockShape()) {}
  /// Borrows `source` and `notes`; without notes, ignored tensors are not reported.
  WeightReader(const WeightSource& source, const ScaleBlockShape& scale_block, Notes* notes = nullptr,
               FetchCallback on_fetch = {})
      : source_(source),
        scale_block_(scale_block),
        notes_(notes == nullptr ? own_notes_ : *notes),
        on_fetch_(std::move(on_fetch)) {}
  WeightReader(const WeightReader&) = delete;
  WeightReader& operator=(const WeightReader&) = delete;

  /// Rows and columns that share a scale.
  [[nodiscard]] const ScaleBlockShape& scale_block() const noexcept { return scale_block_; }

  /// The tensor of that name and shape, for `use`. dtype: see WeightSource::request. Throws WeightError if it is
  /// missing or has another shape.
  const StoredTensor& fetch(const std::string& name, std::span<const std::size_t> shape, const TensorUse& use = {},
                            std::optional<DType> dtype = std::nullopt) {
    const StoredTensor* tensor = source_.request(name, shape, dtype);
    if (tensor == nullptr) {
      throw WeightError("no tensor named " + in_quotes(name) + " (" + source_.source_name() + ")",
                        {.kind = ErrorKind::mismatch, .path = source_.source_name(), .field = name});
    }
    if (!std::ranges::equal(tensor->shape, shape)) {
      throw WeightError(name + ": expected shape " + to_string(shape) + ", found " + to_string(tensor->shape) + " (" +
                            source_.source_name_of(name) + ")",
                        details(name, ErrorKind::mismatch));
    }
    if (on_fetch_ && !record_.contains(name)) on_fetch_(name, tensor->bytes.size());
    record_.add(name, use);
    return *tensor;
  }

  /// The tensor of that name, without marking it as fetched; null if there is none.
  [[nodiscard]] const StoredTensor* find(const std::string& name) const { return source_.find(name); }

  /// Tensors whose names match `pattern`, `*` and `?` as in a shell, may stay unused. If there are any, `reason` is
  /// noted. role: their role
  void ignore(std::string pattern, std::string reason, TensorRole role = TensorRole::other) {
    ignored_.push_back({std::move(pattern), std::move(reason), role, {}, {}, false});
  }
  /// The same for names that begin with "PREFIX.". They have the roles of the same names with one of the other
  /// prefixes.
  void ignore_like(const std::string& prefix, std::vector<std::string> others, std::string reason) {
    ignored_.push_back({prefix + ".*", std::move(reason), TensorRole::other, prefix, std::move(others), false});
  }

  /// Adds a linear map of the model and returns its number.
  std::uint32_t add_linear(LinearMap map) {
    map.synonym = synonym_of(map.module, synonyms_);
    linears_.push_back(std::move(map));
    return static_cast<std::uint32_t>(linears_.size() - 1);
  }
  /// Names, of string literals, for maps that are added from now on.
  void add_synonyms(std::initializer_list<ModuleSynonym> synonyms) {
    synonyms_.insert(synonyms_.end(), synonyms.begin(), synonyms.end());
  }
  /// All of them, in the order in which the model made them.
  [[nodiscard]] const LinearMaps& linears() const noexcept { return linears_; }

  /// The tensors that the model has fetched; after require_all_fetched also those that it ignores.
  [[nodiscard]] const TensorRecord& record() const noexcept { return record_; }

  /// Throws WeightError "name: problem (file)".
  [[noreturn]] void fail(const std::string& name, const std::string& problem,
                         ErrorKind kind = ErrorKind::damaged) const {
    throw WeightError(name + ": " + problem + " (" + source_.source_name_of(name) + ")", details(name, kind));
  }

  /// Throws WeightError naming the first unused tensor that may not be ignored. Empty tensors may always be:
  /// transformers writes them for layers of width 0. So may tensors that the index of the checkpoint does not list;
  /// they are noted.
  void require_all_fetched() {
    std::vector<std::string_view> unlisted;
    for (const std::string_view name : source_.names()) {
      if (record_.contains(name) || source_.find(name)->bytes.empty() || may_be_ignored(name)) continue;
      if (!source_.is_listed(name)) {
        unlisted.push_back(name);
        continue;
      }
      throw WeightError("unexpected tensor " + in_quotes(name) + ": the configuration has no place for it (" +
                            source_.source_name_of(name) + "); allow_unknown (--allow-unknown " + escaped(name) +
                            ") ignores it",
                        details(name, ErrorKind::mismatch));
    }
    for (const std::string_view name : unlisted) notes_.add_unknown_tensor(name);
    if (!unlisted.empty())
      notes_.add(unlisted.size() == 1
                     ? std::string(unlisted[0])
                     : std::string(unlisted[0]) + " and " + std::to_string(unlisted.size() - 1) + " more",
                 "not used, and not listed in the index");
  }

 private:
  struct Ignored {
    std::string pattern;
    std::string reason;
    TensorRole role;
    std::string prefix;               // with which the names begin, and
    std::vector<std::string> others;  // that with which names of the same use do
    bool is_noted;
  };

  [[nodiscard]] ErrorDetails details(std::string_view name, ErrorKind kind) const {
    return {kind, source_.source_name_of(name), std::string(name)};
  }
  [[nodiscard]] bool may_be_ignored(std::string_view name) {
    const auto found =
        std::ranges::find_if(ignored_, [&](const Ignored& ignored) { return matches_glob(ignored.pattern, name); });
    if (found == ignored_.end()) return notes_.allows_tensor(name);
    if (!std::exchange(found->is_noted, true)) notes_.add(found->pattern, found->reason);
    record_.add(std::string(name), use_of(*found, name));
    return true;
  }

  [[nodiscard]] TensorUse use_of(const Ignored& ignored, std::string_view name) const {
    for (const std::string& other : ignored.others) {
      const std::string_view tail = name.substr(ignored.prefix.size() + 1);
      const std::string like = (other.empty() ? "" : other + ".") + std::string(tail);
      if (record_.contains(like)) return record_.find(like);
    }
    return {.role = ignored.role};
  }

  const WeightSource& source_;
  ScaleBlockShape scale_block_;
  Notes own_notes_;  // if the caller does not collect them
  Notes& notes_;
  FetchCallback on_fetch_;
  TensorRecord record_;
  LinearMaps linears_;
  std::vector<ModuleSynonym> synonyms_;
  std::vector<Ignored> ignored_;
};

/// A prefix of tensor names: `WeightScope(reader) / "layers.3" / "mlp"` reads names that start with "layers.3.mlp.".
/// Tensors have the role of the scope, `scope.as(TensorRole::mlp)`, which scopes below it inherit.
class WeightScope {
 public:
  /// Names that begin with "`prefix`."; all names without one.
  explicit WeightScope(WeightReader& reader, std::string prefix = {}) : reader_(&reader), prefix_(std::move(prefix)) {}

  /// The names below `part`, for the same role.
  [[nodiscard]] WeightScope operator/(std::string_view part) const {
    WeightScope below = *this;
    below.prefix_ = name_of(part);
    return below;
  }
  /// The names below a number: `layers / 3`.
  [[nodiscard]] WeightScope operator/(std::size_t index) const { return *this / std::to_string(index); }

  /// The same names with that role. Vectors are always TensorRole::vector.
  [[nodiscard]] WeightScope as(TensorRole role) const {
    WeightScope other = *this;
    other.use_.role = role;
    return other;
  }
  /// The same names, for layers that cannot read blocks of rows. reason: a string literal that says why
  [[nodiscard]] WeightScope unpacked(std::string_view reason) const {
    WeightScope other = *this;
    other.use_.unpacked = reason;
    return other;
  }

  /// The same names, for maps whose rows or columns conversion has put in another order.
  [[nodiscard]] WeightScope reordered(IndexOrder rows, IndexOrder columns = nullptr) const {
    WeightScope other = *this;
    other.row_order_ = std::move(rows);
    other.column_order_ = std::move(columns);
    return other;
  }

  /// The same names, for experts that transformers stacks in that layout, though they may lie apart here.
  [[nodiscard]] WeightScope stacked_as(StackLayout layout) const {
    WeightScope other = *this;
    other.layout_ = layout;
    return other;
  }

  /// Returns whether the source has a tensor of that name below the scope.
  [[nodiscard]] bool contains(std::string_view name) const { return reader_->find(name_of(name)) != nullptr; }

  /// Tensors below "NAME." may stay unused; `reason` is noted if there are any. role: their role
  void ignore(std::string_view name, std::string reason, TensorRole role = TensorRole::other) const {
    reader_->ignore(name_of(name) + ".*", std::move(reason), role);
  }
  /// The same, with the roles of the tensors of the same names below one of the other scopes.
  void ignore_like(std::string_view name, std::initializer_list<WeightScope> others, std::string reason) const {
    std::vector<std::string> prefixes;
    for (const WeightScope& other : others) prefixes.push_back(other.prefix_);
    reader_->ignore_like(name_of(name), std::move(prefixes), std::move(reason));
  }

  /// The same for names of the whole checkpoint that match the pattern.
  void ignore(const IgnoredNames& names) const { reader_->ignore(std::string(names.pattern), std::string(names.text)); }

  /// Throws WeightError "NAME: problem (file)".
  [[noreturn]] void fail(std::string_view name, const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    reader_->fail(name_of(name), problem, kind);
  }

  /// A matrix as stored, borrowed from the source. Values with scales of their blocks are multiplied by them; NAME +
  /// WeightFormat::scales_suffix [blocks of rows, blocks of columns] are any plain floats. Throws WeightError.
  [[nodiscard]] WeightMatrix matrix(std::string_view name, std::size_t rows, std::size_t columns) const {
    const StoredTensor& tensor = fetch(name, std::array{rows, columns});
    if (tensor.matrix != nullptr) return *tensor.matrix;
    const WeightFormat* format = find_format(tensor.dtype);
    if (format == nullptr) fail_dtype(name, tensor.dtype);
    WeightMatrix matrix = stored_matrix(tensor.bytes.data(), tensor.dtype, rows, columns);
    if (!format->has_scale_tensor()) return matrix;
    const WeightReader::ScaleBlockShape& block = reader_->scale_block();
    const std::size_t across = (columns + block.columns - 1) / block.columns;
    const std::string scales = std::string(name).append(format->scales_suffix);
    const StoredTensor& stored = fetch(scales, std::array{(rows + block.rows - 1) / block.rows, across});
    require_plain(scales, stored);
    matrix.scales = {stored.bytes.data(), stored.dtype, across, block.rows, block.columns};
    return matrix;
  }

  /// What transformers calls modules of this checkpoint, of all scopes: see WeightReader::add_synonyms.
  void add_synonyms(std::initializer_list<ModuleSynonym> synonyms) const { reader_->add_synonyms(synonyms); }

  /// The number of a linear map whose weights are "weight" of this scope, or rows of another tensor.
  [[nodiscard]] std::uint32_t add_linear(const WeightMatrix& weight) const {
    return reader_->add_linear({.module = prefix_,
                                .weight = weight,
                                .layout = layout_,
                                .row_order = row_order_,
                                .column_order = column_order_});
  }

  /// The matrices of a stack: in the tensor NAME, plain or packed; or, if there is none and the stack is interleaved,
  /// in two, NAME + codes_suffix and NAME + scales_suffix of a WeightFormat. Throws WeightError.
  [[nodiscard]] WeightStack stack(std::string_view name, const StackShape& shape) const {
    const WeightMatrix all = stack_matrix(name, shape);
    const WeightStack stack(all, shape);
    std::uint32_t first = kNoTarget;
    for (std::size_t i = 0; i < shape.count; ++i) {
      for (std::size_t p = 0; p < shape.projections; ++p)
        first = std::min(first, reader_->add_linear({name_of(name), stack.matrix(i, p), shape, i, p, shape.layout}));
    }
    return {all, shape, first};
  }

  /// A vector converted to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 1> read_f32(std::string_view name, std::size_t length) const {
    return widen<1>(name, {length});
  }
  /// The same for a tensor of that shape, whose extents are 1 but for one. Throws WeightError.
  template <std::size_t Rank>
  [[nodiscard]] Tensor<float, 1> read_vector(std::string_view name, const std::array<std::size_t, Rank>& shape) const {
    const Tensor<float, Rank> stored = widen<Rank>(name, shape);
    Tensor<float, 1> result({stored.size()});
    std::copy_n(stored.data(), stored.size(), result.data());
    return result;
  }
  /// A small matrix converted to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 2> read_f32(std::string_view name, std::size_t rows, std::size_t columns) const {
    return widen<2>(name, {rows, columns});
  }

  /// The same for a tensor that may be absent.
  [[nodiscard]] std::optional<Tensor<float, 1>> read_f32_if_present(std::string_view name, std::size_t length) const {
    if (!contains(name)) return std::nullopt;
    return read_f32(name, length);
  }
  /// The filters of a depthwise convolution, [channels, 1, width], converted to f32. Throws WeightError.
  [[nodiscard]] Tensor<float, 3> read_filters(std::string_view name, std::size_t channels, std::size_t width) const {
    return widen<3>(name, {channels, 1, width});
  }

 private:
  [[nodiscard]] std::string name_of(std::string_view part) const {
    return prefix_.empty() ? std::string(part) : prefix_ + "." + std::string(part);
  }

  // The format whose values exist, or the first that is possible.
  [[nodiscard]] const WeightFormat& quantized_format(std::string_view name) const {
    const WeightFormat* first = nullptr;
    for (const WeightFormat* format : kWeightFormats) {
      if (format->codes_suffix.empty()) continue;
      if (contains(std::string(name).append(format->codes_suffix))) return *format;
      if (first == nullptr) first = format;
    }
    return *first;
  }
  // The tensor of a stack as one matrix.
  [[nodiscard]] WeightMatrix stack_matrix(std::string_view name, const StackShape& shape) const {
    if (shape.layout == StackLayout::interleaved && !contains(name)) return quantized_stack(name, shape);
    const StoredTensor* stored = reader_->find(name_of(name));
    TensorUse use = use_;
    use.stack = shape;
    const StoredTensor& tensor =
        reader_->fetch(name_of(name), shape.extents(stored == nullptr ? DType::bf16 : stored->dtype), use);
    const WeightFormat* format = find_format(tensor.dtype);
    if (format == nullptr || format->has_scale_tensor()) fail_dtype(name, tensor.dtype);
    return stored_matrix(tensor.bytes.data(), tensor.dtype, tensor.shape[0] * tensor.shape[1], tensor.shape[2]);
  }
  [[nodiscard]] WeightMatrix quantized_stack(std::string_view name, const StackShape& shape) const {
    const WeightFormat& format = quantized_format(name);
    const std::string codes_name = std::string(name).append(format.codes_suffix);
    const std::string scales_name = std::string(name).append(format.scales_suffix);
    if (shape.columns % format.block_columns != 0)
      fail(codes_name, "expected a multiple of " + std::to_string(format.block_columns) + " columns, found " +
                           std::to_string(shape.columns));
    const std::size_t rows = shape.projections * shape.rows;
    const std::size_t blocks = shape.columns / format.block_columns;
    const auto part = [&](const std::string& part_name, DType dtype, std::span<const std::size_t> extents) {
      const StoredTensor& tensor = reader_->fetch(name_of(part_name), extents, use_, dtype);
      if (tensor.dtype != dtype)
        fail(part_name,
             "expected " + std::string(to_string(dtype)) + ", found " + std::string(to_string(tensor.dtype)));
      return tensor.bytes.data();
    };
    const std::byte* codes =
        part(codes_name, format.stored_codes, std::array{shape.count, rows, blocks, format.stored_block_bytes});
    const std::byte* scales = part(scales_name, format.stored_scales, std::array{shape.count, rows, blocks});
    WeightMatrix matrix = stored_matrix(codes, format.dtype, shape.count * rows, shape.columns);
    matrix.scales = {scales, format.stored_scales, blocks, 1, format.block_columns};
    return matrix;
  }

  template <std::size_t Rank>
  [[nodiscard]] Tensor<float, Rank> widen(std::string_view name, const std::array<std::size_t, Rank>& shape) const {
    const StoredTensor& tensor = reader_->fetch(name_of(name), shape, {.role = TensorRole::vector});
    require_plain(name, tensor);
    Tensor<float, Rank> result(shape);
    visit_dtype(tensor.dtype, [&]<class T>(const T*) {
      const T* elements = reinterpret_cast<const T*>(tensor.bytes.data());
      for (std::size_t i = 0; i < result.size(); ++i) result.data()[i] = static_cast<float>(elements[i]);
    });
    return result;
  }
  void require_plain(std::string_view name, const StoredTensor& tensor) const {
    if (!is_plain_float(tensor.dtype)) fail_dtype(name, tensor.dtype);
  }
  [[noreturn]] void fail_dtype(std::string_view name, DType found) const {
    fail(name, "expected f32, bf16 or f16, found " + std::string(to_string(found)), ErrorKind::unsupported);
  }
  const StoredTensor& fetch(std::string_view name, std::span<const std::size_t> shape) const {
    return reader_->fetch(name_of(name), shape, use_);
  }

  WeightReader* reader_;
  std::string prefix_;
  TensorUse use_;
  StackLayout layout_ = StackLayout::stacked;
  IndexOrder row_order_;
  IndexOrder column_order_;
};

}  // namespace trine::inline TRINE_ABI
