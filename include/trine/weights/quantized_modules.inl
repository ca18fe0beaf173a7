// SPDX-License-Identifier: Apache-2.0
// The definitions of weights/quantized_modules.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <trine/core/error.hpp>
#include <trine/core/printable.hpp>
#include <trine/core/shape.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/quantized_modules.hpp>

namespace trine::inline TRINE_ABI {

/// The tensors of one module, and which of them were used.
class QuantizedModules::Parts {
 public:
  Parts(const WeightSource& source, std::string_view module, std::string_view codes)
      : source_(source), module_(module), codes_(codes) {}

  [[nodiscard]] std::string name(std::string_view part) const { return module_ + "." + std::string(part); }
  [[nodiscard]] const std::string& module() const noexcept { return module_; }
  [[nodiscard]] std::string codes_name() const { return name(codes_); }
  [[nodiscard]] const std::set<std::string>& used() const noexcept { return used_; }
  [[nodiscard]] std::size_t scale_bytes() const noexcept { return bytes_; }

  /// Null if there is none.
  [[nodiscard]] const StoredTensor* find(std::string_view part) {
    const StoredTensor* tensor = source_.find(name(part));
    if (tensor == nullptr) return nullptr;
    if (used_.insert(name(part)).second && part != codes_) bytes_ += tensor->bytes.size();
    return tensor;
  }
  [[nodiscard]] const StoredTensor& get(std::string_view part) {
    const StoredTensor* tensor = find(part);
    if (tensor == nullptr)
      throw WeightError("no tensor named " + in_quotes(name(part)) + ", which belongs to " + escaped(codes_name()) +
                            " (" + source_.source_name_of(codes_name()) + ")",
                        {.kind = ErrorKind::mismatch, .path = source_.source_name(), .field = name(part)});
    return *tensor;
  }
  /// A matrix with elements of that type, not empty.
  [[nodiscard]] const StoredTensor& get_matrix(std::string_view part, DType dtype) {
    const StoredTensor& tensor = get(part);
    require_dtype(part, tensor, dtype);
    if (tensor.shape.size() != 2 || tensor.bytes.empty())
      fail(part, "expected a matrix, found shape " + to_string(tensor.shape), ErrorKind::mismatch);
    return tensor;
  }
  [[nodiscard]] const StoredTensor& get_matrix(std::string_view part, DType dtype, std::size_t rows,
                                               std::size_t columns) {
    const StoredTensor& tensor = get_matrix(part, dtype);
    require_shape_of(part, tensor, std::array{rows, columns});
    return tensor;
  }
  void require_shape_of(std::string_view part, const StoredTensor& tensor, std::span<const std::size_t> shape) const {
    if (!std::ranges::equal(tensor.shape, shape))
      fail(part, "expected shape " + to_string(shape) + ", found " + to_string(tensor.shape), ErrorKind::mismatch);
  }
  void require_dtype(std::string_view part, const StoredTensor& tensor, DType dtype) const {
    if (tensor.dtype != dtype)
      fail(part, "expected " + std::string(to_string(dtype)) + ", found " + std::string(to_string(tensor.dtype)),
           ErrorKind::unsupported);
  }
  void require_plain(std::string_view part, const StoredTensor& tensor) const {
    if (!is_plain_float(tensor.dtype))
      fail(part, "expected f32, bf16 or f16, found " + std::string(to_string(tensor.dtype)), ErrorKind::unsupported);
  }

  /// One f32 in a tensor of any rank.
  [[nodiscard]] float get_f32(std::string_view part) {
    const StoredTensor& tensor = get(part);
    require_dtype(part, tensor, DType::f32);
    if (tensor.bytes.size() != sizeof(float))
      fail(part, "expected one value, found shape " + to_string(tensor.shape), ErrorKind::mismatch);
    float value = 0.0F;
    std::memcpy(&value, tensor.bytes.data(), sizeof value);
    return value;
  }

  /// Scales of a matrix [rows, columns]: one; one per row; one per group of columns of a row; one per block, if the
  /// configuration says so.
  [[nodiscard]] BlockScales get_scales(std::string_view part, std::size_t rows, std::size_t columns,
                                       const ModuleQuantization& quantization) {
    const StoredTensor& tensor = get(part);
    require_plain(part, tensor);
    const std::vector<std::size_t>& shape = tensor.shape;
    BlockScales scales{.data = tensor.bytes.data(), .dtype = tensor.dtype};
    const auto blocks = [](std::size_t extent, std::size_t block) { return (extent - 1) / block + 1; };
    if (tensor.bytes.size() == size_bytes(tensor.dtype)) {
      scales.stride = 1;
      scales.block_rows = rows;
      scales.block_columns = columns;
    } else if (shape.size() == 1 && shape[0] == rows) {
      scales.stride = 1;
      scales.block_columns = columns;
    } else if (const std::size_t r = quantization.block_rows, c = quantization.block_columns;
               r > 0 && shape.size() == 2 && shape[0] == blocks(rows, r) && shape[1] == blocks(columns, c)) {
      scales.stride = shape[1];
      scales.block_rows = r;
      scales.block_columns = c;
    } else if (shape.size() == 2 && shape[0] == rows && shape[1] > 0 && columns % shape[1] == 0) {
      scales.stride = shape[1];
      scales.block_columns = columns / shape[1];
    } else {
      fail(part,
           "expected a scale for each row, group of columns or block of the weights " +
               to_string(std::array{rows, columns}) + ", found shape " + to_string(shape),
           ErrorKind::mismatch);
    }
    return scales;
  }

  /// The block of each of `inputs` inputs; null if they are the consecutive ones anyway, or the tensor is unused (-1).
  [[nodiscard]] const std::int32_t* get_groups(std::string_view part, std::size_t inputs, std::size_t groups,
                                               std::size_t group_size) {
    const StoredTensor* tensor = find(part);
    if (tensor == nullptr) return nullptr;
    require_dtype(part, *tensor, DType::i32);
    require_shape_of(part, *tensor, std::array{inputs});
    const auto* first = reinterpret_cast<const std::int32_t*>(tensor->bytes.data());
    const std::span<const std::int32_t> index(first, inputs);
    if (std::ranges::all_of(index, [](std::int32_t group) { return group == -1; })) return nullptr;
    bool consecutive = true;
    for (std::size_t i = 0; i < inputs; ++i) {
      if (index[i] < 0 || static_cast<std::size_t>(index[i]) >= groups)
        fail(part, "expected groups from 0 to " + std::to_string(groups - 1) + ", found " + std::to_string(index[i]));
      consecutive = consecutive && static_cast<std::size_t>(index[i]) == i / group_size;
    }
    return consecutive ? nullptr : first;
  }

  [[noreturn]] void fail(std::string_view part, const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    const std::string file = source_.source_name_of(name(part));
    throw WeightError(escaped(name(part)) + ": " + problem + " (" + file + ")",
                      {.kind = kind, .path = file, .field = name(part)});
  }

 private:
  const WeightSource& source_;
  std::string module_;
  std::string codes_;  // the part with the codes
  std::set<std::string> used_;
  std::size_t bytes_ = 0;
};

namespace detail {

/// The module of "MODULE.PART"; nullopt for other names.
[[nodiscard]] inline std::optional<std::string_view> module_of(std::string_view name, std::string_view part) {
  if (name.size() < part.size() + 2 || !name.ends_with(part) || name[name.size() - part.size() - 1] != '.')
    return std::nullopt;
  return name.substr(0, name.size() - part.size() - 1);
}

}  // namespace detail

TRINE_DECL QuantizedModules::QuantizedModules(std::unique_ptr<const WeightSource> source,
                                              const ModuleQuantization& quantization, Notes& notes)
    : source_(std::move(source)), quantization_(quantization) {
  using Layout = ModuleQuantization::Layout;
  for (const std::string_view name : source_->names()) {
    if (quantization_.layout != Layout::scales) {
      if (const auto module = detail::module_of(name, "qweight")) {
        Parts parts(*source_, *module, "qweight");
        quantization_.layout == Layout::awq ? add_awq(parts) : add_gptq(parts);
      }
    } else if (const auto packed = detail::module_of(name, "weight_packed")) {
      Parts parts(*source_, *packed, "weight_packed");
      add_packed(parts);
    } else if (const auto module = detail::module_of(name, "weight")) {
      Parts parts(*source_, *module, "weight");
      add_scaled(parts);
    }
  }
  hide_activation_scales(notes);
}

TRINE_DECL const StoredTensor* QuantizedModules::find(std::string_view name) const {
  const auto found = modules_.find(name);
  if (found != modules_.end()) return &found->second.stored;
  return parts_.contains(name) ? nullptr : source_->find(name);
}

TRINE_DECL const StoredTensor* QuantizedModules::request(std::string_view name, std::span<const std::size_t> shape,
                                                         std::optional<DType> dtype) const {
  if (modules_.contains(name) || parts_.contains(name)) return find(name);
  return source_->request(name, shape, dtype);
}

TRINE_DECL std::vector<std::string_view> QuantizedModules::names() const {
  std::vector<std::string_view> result;
  for (const std::string_view name : source_->names())
    if (!parts_.contains(name)) result.push_back(name);
  for (const auto& [name, module] : modules_) result.emplace_back(name);
  std::ranges::sort(result);
  return result;
}

TRINE_DECL bool QuantizedModules::is_listed(std::string_view name) const {
  const auto found = modules_.find(name);
  return source_->is_listed(found == modules_.end() ? name : found->second.codes);
}

TRINE_DECL std::string QuantizedModules::source_name_of(std::string_view name) const {
  const auto found = modules_.find(name);
  return source_->source_name_of(found == modules_.end() ? name : found->second.codes);
}

TRINE_DECL void QuantizedModules::add(const Parts& parts, const WeightMatrix& matrix) {
  std::string name = parts.name("weight");
  const StoredTensor& codes = *source_->find(parts.codes_name());
  if (name != parts.codes_name() && source_->find(name) != nullptr)
    parts.fail("weight", "expected no tensor of this name beside " + escaped(parts.codes_name()) + ", found one",
               ErrorKind::mismatch);
  parts_.insert(parts.used().begin(), parts.used().end());
  Module& module = modules_[std::move(name)];
  module.matrix = matrix;
  module.codes = parts.codes_name();
  module.stored = {.dtype = matrix.dtype,
                   .shape = {matrix.rows, matrix.columns},
                   .bytes = codes.bytes,
                   .matrix = &module.matrix,
                   .scale_bytes = parts.scale_bytes()};
}

// Two four-bit floats in a byte, with FP8 scales or, if `may_be_powers`, powers of two.
TRINE_DECL WeightMatrix QuantizedModules::four_bit_matrix(Parts& parts, std::string_view codes, bool may_be_powers) {
  const StoredTensor& packed = parts.get_matrix(codes, DType::u8);
  const StoredTensor& scales = parts.get("weight_scale");
  const bool powers = may_be_powers && (scales.dtype == DType::u8 || scales.dtype == DType::f8_e8m0);
  const WeightFormat& format = four_bit_floats(powers);
  const std::size_t rows = packed.shape[0];
  const std::size_t columns = 2 * packed.shape[1];
  const std::size_t blocks = columns / format.block_columns;
  static_cast<void>(parts.get_matrix("weight_scale", powers ? scales.dtype : DType::f8_e4m3, rows, blocks));
  if (columns % format.block_columns != 0)
    parts.fail(codes, "expected a multiple of " + std::to_string(format.block_columns) + " columns, found " +
                          std::to_string(columns));
  WeightMatrix matrix = stored_matrix(packed.bytes.data(), format.dtype, rows, columns);
  matrix.scales = {.data = scales.bytes.data(),
                   .dtype = powers ? DType::u8 : DType::f8_e4m3,
                   .stride = blocks,
                   .block_rows = 1,
                   .block_columns = format.block_columns};
  return matrix;
}

// Four-bit floats in bytes, or integers in words.
TRINE_DECL void QuantizedModules::add_packed(Parts& parts) {
  constexpr std::string_view kCodes = "weight_packed";
  const StoredTensor& packed = parts.get(kCodes);
  if (packed.dtype == DType::u8) {
    WeightMatrix matrix = four_bit_matrix(parts, kCodes, true);
    if (matrix.scales.dtype != DType::u8) matrix.scales.divisor = parts.get_f32("weight_global_scale");
    return add(parts, matrix);
  }

  static_cast<void>(parts.get_matrix(kCodes, DType::i32));
  const StoredTensor& stored_shape = parts.get("weight_shape");
  if (stored_shape.dtype != DType::i32) parts.require_dtype("weight_shape", stored_shape, DType::i64);
  parts.require_shape_of("weight_shape", stored_shape, std::array{std::size_t{2}});
  const auto extent = [&](std::size_t i) {
    std::int64_t value = 0;
    if (stored_shape.dtype == DType::i64) {
      value = reinterpret_cast<const std::int64_t*>(stored_shape.bytes.data())[i];
    } else {
      value = reinterpret_cast<const std::int32_t*>(stored_shape.bytes.data())[i];
    }
    constexpr std::int64_t kMost = std::int64_t{1} << 40U;
    if (value < 1 || value > kMost)
      parts.fail("weight_shape", "expected extents from 1 to 2^40, found " + std::to_string(value));
    return static_cast<std::size_t>(value);
  };
  const std::size_t rows = extent(0);
  const std::size_t columns = extent(1);
  const auto words = [](std::size_t count, unsigned bits) { return (count * bits + 31) / 32; };
  unsigned bits = quantization_.bits;
  if (bits == 0) bits = packed.shape[1] == words(columns, 4) ? 4 : 8;
  parts.require_shape_of(kCodes, packed, std::array{rows, words(columns, bits)});
  WeightMatrix matrix = stored_matrix(packed.bytes.data(), packed_integers(bits), rows, columns);
  matrix.scales = parts.get_scales("weight_scale", rows, columns, quantization_);
  const std::size_t groups = matrix.scales.stride;
  if (matrix.scales.block_rows > 1 && groups > 1)
    parts.fail("weight_scale", "expected a scale for each row or group, found blocks of rows", ErrorKind::unsupported);
  if (const StoredTensor* zeros = parts.find("weight_zero_point")) {
    parts.require_dtype("weight_zero_point", *zeros, DType::i32);
    parts.require_shape_of("weight_zero_point", *zeros, std::array{words(rows, bits), groups});
    matrix.scales.zeros = zeros->bytes.data();
    matrix.scales.zeros_stride = groups;
  }
  matrix.scales.block_of = parts.get_groups("weight_g_idx", columns, groups, matrix.scales.block_columns);
  add(parts, matrix);
}

// FP8 or int8 with scales, or four-bit floats of ModelOpt. A module in another type is not quantised.
TRINE_DECL void QuantizedModules::add_scaled(Parts& parts) {
  constexpr std::string_view kCodes = "weight";
  const StoredTensor& codes = parts.get(kCodes);
  const bool is_float = codes.dtype == DType::f8_e4m3;
  if (!is_float && codes.dtype != DType::i8 && codes.dtype != DType::u8) return;
  if (codes.shape.size() != 2 || codes.bytes.empty()) return;
  if (codes.dtype == DType::u8) {
    WeightMatrix matrix = four_bit_matrix(parts, kCodes, false);
    matrix.scales.factor = parts.get_f32("weight_scale_2");
    return add(parts, matrix);
  }

  std::string_view part = "weight_scale";
  if (is_float && source_->find(parts.name(part)) == nullptr) {
    part = "weight_scale_inv";
    const StoredTensor* scale = source_->find(parts.name(part));
    if (scale == nullptr || quantization_.block_rows > 0) return;  // of blocks, which scopes read
  }
  WeightMatrix matrix{codes.bytes.data(), is_float ? codes.dtype : signed_bytes(), codes.shape[0], codes.shape[1]};
  matrix.scales = parts.get_scales(part, matrix.rows, matrix.columns, quantization_);
  if (const StoredTensor* zeros = is_float ? nullptr : parts.find("weight_zero_point")) {
    parts.require_dtype("weight_zero_point", *zeros, DType::i8);
    parts.require_shape_of("weight_zero_point", *zeros, source_->find(parts.name(part))->shape);
    matrix.scales.zeros = zeros->bytes.data();
  }
  add(parts, matrix);
}

TRINE_DECL void QuantizedModules::add_gptq(Parts& parts) {
  const StoredTensor& codes = parts.get_matrix("qweight", DType::i32);
  const StoredTensor& zeros = parts.get_matrix("qzeros", DType::i32);
  const StoredTensor& scales = parts.get("scales");
  parts.require_plain("scales", scales);
  const std::size_t outputs = codes.shape[1];
  const std::size_t groups = zeros.shape[0];
  parts.require_shape_of("scales", scales, std::array{groups, outputs});
  unsigned bits = 0;
  for (const unsigned possible : {4U, 8U})
    if (outputs % (32 / possible) == 0 && zeros.shape[1] == outputs / (32 / possible)) bits = possible;
  if (bits == 0)
    parts.fail("qzeros",
               "expected zero points of 4 or 8 bits for " + std::to_string(outputs) + " outputs, found shape " +
                   to_string(zeros.shape),
               ErrorKind::unsupported);
  if (quantization_.zeros_offset == 1) require_no_full_code(parts, zeros, bits);
  const std::size_t inputs = codes.shape[0] * (32 / bits);
  const std::size_t size = group_size(parts, inputs, groups);
  WeightMatrix matrix{codes.bytes.data(), gptq_integers(bits), outputs, inputs, true};
  matrix.stride = outputs * 4;
  matrix.scales = {.data = scales.bytes.data(),
                   .dtype = scales.dtype,
                   .stride = outputs,
                   .block_rows = size,
                   .zeros = zeros.bytes.data(),
                   .zeros_stride = zeros.shape[1],
                   .zeros_offset = quantization_.zeros_offset,
                   .block_of = parts.get_groups("g_idx", inputs, groups, size)};
  add(parts, matrix);
}

TRINE_DECL void QuantizedModules::add_awq(Parts& parts) {
  const StoredTensor& codes = parts.get_matrix("qweight", DType::i32);
  const StoredTensor& zeros = parts.get_matrix("qzeros", DType::i32);
  const StoredTensor& scales = parts.get("scales");
  parts.require_plain("scales", scales);
  const std::size_t inputs = codes.shape[0];
  const std::size_t outputs = codes.shape[1] * 8;
  const std::size_t groups = zeros.shape[0];
  parts.require_shape_of("qzeros", zeros, std::array{groups, codes.shape[1]});
  parts.require_shape_of("scales", scales, std::array{groups, outputs});
  WeightMatrix matrix{codes.bytes.data(), awq_integers(), outputs, inputs, true};
  matrix.stride = outputs / 2;
  matrix.scales = {.data = scales.bytes.data(),
                   .dtype = scales.dtype,
                   .stride = outputs,
                   .block_rows = group_size(parts, inputs, groups),
                   .zeros = zeros.bytes.data(),
                   .zeros_stride = zeros.shape[1]};
  add(parts, matrix);
}

// What a stored zero point of all ones means where files store zero - 1: 16, 0, or 0 and a carry to the next one.
TRINE_DECL void QuantizedModules::require_no_full_code(const Parts& parts, const StoredTensor& zeros, unsigned bits) {
  const std::byte* codes = zeros.bytes.data();
  const std::size_t count = zeros.bytes.size() * 8 / bits;
  for (std::size_t i = 0; i < count; ++i) {
    const int code = bits == 4 ? packed_code<4>(codes, i) : packed_code<8>(codes, i);
    if (code == (1 << bits) - 1)
      parts.fail("qzeros",
                 "expected stored zero points below " + std::to_string(code) +
                     ", found that: implementations disagree about it",
                 ErrorKind::unsupported);
  }
}

// Inputs that share a scale, so that `groups` of them hold all inputs; the last one may be shorter.
TRINE_DECL std::size_t QuantizedModules::group_size(const Parts& parts, std::size_t inputs, std::size_t groups) const {
  if (groups == 1) return inputs;
  std::size_t size = quantization_.group_size;
  if (size == 0) size = (inputs - 1) / groups + 1;
  if ((inputs - 1) / size + 1 != groups)
    parts.fail("scales",
               "expected " + std::to_string((inputs - 1) / size + 1) + " groups of " + std::to_string(size) +
                   " inputs, found " + std::to_string(groups),
               ErrorKind::mismatch);
  return size;
}

TRINE_DECL void QuantizedModules::hide_activation_scales(Notes& notes) {
  constexpr std::array<std::string_view, 6> kParts = {"input_scale",      "input_zero_point", "input_global_scale",
                                                      "activation_scale", "output_scale",     "output_zero_point"};
  std::array<bool, kParts.size()> found{};
  for (const std::string_view name : source_->names()) {
    for (std::size_t i = 0; i < kParts.size(); ++i) {
      if (!detail::module_of(name, kParts[i])) continue;
      parts_.emplace(name);
      found[i] = true;
    }
  }
  for (std::size_t i = 0; i < kParts.size(); ++i)
    if (found[i]) notes.add("*." + std::string(kParts[i]), "activations are not quantised");
}

TRINE_DECL std::unique_ptr<const WeightSource> read_quantized_modules(std::unique_ptr<const WeightSource> source,
                                                                      const ModuleQuantization& quantization,
                                                                      Notes& notes) {
  if (quantization.layout == ModuleQuantization::Layout::none) return source;
  return std::make_unique<QuantizedModules>(std::move(source), quantization, notes);
}

}  // namespace trine::inline TRINE_ABI
